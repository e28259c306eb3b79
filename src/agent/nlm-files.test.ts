import assert from "node:assert/strict";
import { test } from "node:test";
import { needsUnlock } from "./nlm-files.ts";

const UNLOCK = "0000000000000000 T nlmsvc_unlock_all_by_sb\t[lockd]";
const REVOKE = "0000000000000000 T nfsd4_revoke_states\t[nfsd]";

test("locked files are freed by hand only where the kernel can do it, and does not do more than that", () => {
  assert.equal(needsUnlock(`${UNLOCK}\n`), true, "6.1");
  assert.equal(needsUnlock(`${UNLOCK}\n${REVOKE}\n`), false, "6.12: it frees them itself, and the write may crash it");
  assert.equal(needsUnlock(""), false, "nothing known: nothing done");
  assert.equal(needsUnlock("0000000000000000 r __kstrtab_nlmsvc_unlock_all_by_sb\t[lockd]\n"), false);
});
