/**
 * The third vote: corosync-qnetd on the witness, corosync-qdevice on the nodes, over TLS with certificates of the
 * cluster's own (corosync-qdevice(8), corosync-qdevice-net-certutil(8)). Keys and certificates go from machine to
 * machine through this process, over stdin.
 */
import type { NodeShell } from "./node-shell.ts";
import type { DeedParts } from "./deeds.ts";

const QNETD_DB = "/etc/corosync/qnetd/nssdb";
const NODE_DB = "/etc/corosync/qdevice/net/nssdb";
const CA_PATH = "/run/holdfast-qnetd-ca.crt";
const INSTALL_TIMEOUT_MS = 600_000;
const CERTIFICATE_TIMEOUT_MS = 120_000;
const PREAMBLE = "set -eu\nPATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH\n";

export async function setUpWitness(
  witness: string,
  parts: Pick<DeedParts, "shell" | "spec" | "timeScale" | "progress">,
): Promise<void> {
  const cluster = parts.spec.cluster.name;
  const nodes = parts.spec.cluster.nodes.map((node) => parts.shell(node.name));
  const [first, ...others] = nodes;
  if (first === undefined) return;
  const server = parts.shell(witness);
  const bound = CERTIFICATE_TIMEOUT_MS * parts.timeScale;
  await server.must(qnetdScript(), INSTALL_TIMEOUT_MS * Math.min(parts.timeScale, 4), "setting up corosync-qnetd");
  const ca = await server.read(`${QNETD_DB}/qnetd-cacert.crt`);
  await Promise.all(nodes.map((node) => initialise(node, ca, bound)));
  const ready = await first.run(`[ -e ${NODE_DB}/qdevice-net-node.p12 ]\n`, bound);
  if (ready.status !== 0) {
    await first.must(
      `${PREAMBLE}corosync-qdevice-net-certutil -r -n ${cluster} >&2\n`,
      bound,
      "asking for a certificate",
    );
    const request = await first.read(`${NODE_DB}/qdevice-net-node.crq`);
    await server.put("/run/holdfast-qdevice.crq", request, 0o600);
    const sign = `${PREAMBLE}corosync-qnetd-certutil -s -c /run/holdfast-qdevice.crq -n ${cluster} >&2; rm -f /run/holdfast-qdevice.crq\n`;
    await server.must(sign, bound, "signing the cluster's certificate");
    await first.put("/run/holdfast-qdevice.crt", await server.read(`${QNETD_DB}/cluster-${cluster}.crt`), 0o600);
    const take = `${PREAMBLE}corosync-qdevice-net-certutil -M -c /run/holdfast-qdevice.crt >&2; rm -f /run/holdfast-qdevice.crt\n`;
    await first.must(take, bound, "taking the cluster's certificate");
  }
  const certificate = await first.read(`${NODE_DB}/qdevice-net-node.p12`);
  await Promise.all(others.map((node) => importCertificate(node, certificate, bound)));
  parts.progress(`${witness} is the cluster's third vote`);
}

function qnetdScript(): string {
  return `${PREAMBLE}DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND
command -v corosync-qnetd >/dev/null || apt-get -q -y --no-install-recommends install corosync-qnetd >&2
[ -e ${QNETD_DB}/qnetd-cacert.crt ] || corosync-qnetd-certutil -i >&2
systemctl enable --now --quiet corosync-qnetd.service
`;
}

async function initialise(node: NodeShell, ca: Uint8Array, timeoutMs: number): Promise<void> {
  await node.put(CA_PATH, ca, 0o600);
  const script = `${PREAMBLE}[ -e ${NODE_DB}/cert9.db ] || [ -e ${NODE_DB}/cert8.db ] || corosync-qdevice-net-certutil -i -c ${CA_PATH} >&2\nrm -f ${CA_PATH}\n`;
  await node.must(script, timeoutMs, "preparing corosync-qdevice");
}

async function importCertificate(node: NodeShell, certificate: Uint8Array, timeoutMs: number): Promise<void> {
  await node.put("/run/holdfast-qdevice.p12", certificate, 0o600);
  const script = `${PREAMBLE}corosync-qdevice-net-certutil -m -c /run/holdfast-qdevice.p12 >&2; rm -f /run/holdfast-qdevice.p12\n`;
  await node.must(script, timeoutMs, "taking the cluster's certificate");
}
