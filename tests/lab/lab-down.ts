/** `node tests/lab/lab-down.ts NAME`: takes the tests' lab down, and fails where anything of it is left. */
process.env["HOLDFAST_TEST_LAB"] = process.argv[2];
const { wipeLab } = await import("./lab-under-test.ts");
await wipeLab();
