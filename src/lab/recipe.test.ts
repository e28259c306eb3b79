import assert from "node:assert/strict";
import { test } from "node:test";
import { imageId, recipeFor } from "./recipe.ts";

test("the same recipe has the same name in the cache, and any change another", () => {
  const recipe = recipeFor("trixie");
  const id = imageId(recipe, "26.1.0");
  assert.equal(imageId(recipeFor("trixie"), "26.1.0"), id);
  assert.match(id, /^trixie-[0-9a-f]{16}$/);
  const others = [
    imageId(recipe, "26.2.0"),
    imageId(recipeFor("bookworm"), "26.1.0"),
    imageId({ ...recipe, finish: `${recipe.finish}\n` }, "26.1.0"),
    imageId({ ...recipe, packages: recipe.packages.slice(1) }, "26.1.0"),
    imageId({ ...recipe, masked: [] }, "26.1.0"),
    imageId({ ...recipe, files: recipe.files.slice(1) }, "26.1.0"),
  ];
  assert.equal(new Set([id, ...others]).size, others.length + 1);
});

test("no file is put in twice, and no unit is masked that is also put in", () => {
  const { files, masked } = recipeFor("trixie");
  assert.equal(new Set(files.map(({ path }) => path)).size, files.length);
  assert.equal(new Set(masked).size, masked.length);
  for (const unit of masked) assert.ok(!files.some(({ path }) => path.endsWith(`/${unit}`)), unit);
});

test("the stock NFS services do not run on nodes", () => {
  const { masked } = recipeFor("trixie");
  for (const unit of [
    "nfs-server.service",
    "nfs-mountd.service",
    "nfsdcld.service",
    "rpc-statd.service",
    "rpcbind.socket",
  ]) {
    assert.ok(masked.includes(unit), unit);
  }
});
