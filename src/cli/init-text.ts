/** The commented spec that `holdfast init` writes. */
import { parseAddress } from "../model/address.ts";

export interface InitAnswers {
  readonly cluster: string;
  readonly engine: string;
  readonly nodes: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  readonly fileserver: string;
  readonly hostname: string;
  /** With prefix length. */
  readonly address: string;
  readonly interface: string;
  readonly device: string;
  /** What the volume group is to be made of, where it is to be made. */
  readonly disks?: readonly string[];
  readonly filesystem: string;
  /** Who may mount, read and write. */
  readonly client: string;
  /** Of the machine that the file is written on, for ssh to the nodes. */
  readonly sshConfig?: string;
}

/** The text; `parseSpec` judges the answers in it. */
export function initText(answers: InitAnswers): string {
  const nodes = answers.nodes.map(
    (node) => `    - { name: ${scalar(node.name)}, addresses: [${node.addresses.map(scalar).join(", ")}] }`,
  );
  const disks = answers.disks === undefined ? "" : `, disks: [${answers.disks.map(scalar).join(", ")}]`;
  return `# What the cluster is to be. \`holdfast check\` validates this file, \`holdfast plan\` says what it would change.
# Every key: docs/spec.md. For completion in an editor: holdfast schema > holdfast.schema.json
apiVersion: holdfast/v1

cluster:
  # fsids, MAC addresses and reservation keys are derived from the name: choose it once.
  name: ${scalar(answers.cluster)}
  # pacemaker: a lost node is fenced and its fileservers are taken over. standalone: they move when told to.
  engine: ${scalar(answers.engine)}
  # The machines that can carry fileservers; one address per cluster link.
  nodes:
${nodes.join("\n")}
${answers.engine === "pacemaker" ? FENCING : ""}  # How an admin's machine reaches the nodes, if not by ~/.ssh/config:
${answers.sshConfig === undefined ? "  # ssh: { config: ssh_config }" : `  ssh: { config: ${scalar(answers.sshConfig)} }`}

fileservers:
  - name: ${scalar(answers.fileserver)}
    # The name by which clients mount. It must lead to the address below, and stays the same on every node.
    hostname: ${scalar(answers.hostname)}
    # Moves with the fileserver. One address, or a list of one IPv4 and one IPv6.
    address: ${scalar(answers.address)}
    # The nodes' interface to the clients.
    interface: ${scalar(answers.interface)}
    # The router, if clients are in other networks:
    # gateway: 192.0.2.1
    # macvlan has a MAC address of its own; ipvlan where switch or hypervisor allow only the card's:
    # link: macvlan
    # v3 needs rpcbind, statd and lockd; v4 alone needs only port 2049:
    # protocols: [v3, v4]
    volumes:
      # VG/LV on shared storage, or a disk below /dev/disk/by-id/. The volume group belongs to this fileserver alone.
      - { name: data, device: ${scalar(answers.device)}, filesystem: ${scalar(answers.filesystem)}${disks} }
    exports:
      - path: /export/data
        volume: data
        # ro unless rw is written; root_squash unless said otherwise.
        clients:
          - { match: ${scalar(answers.client)}, options: [rw] }
    # Where it runs when all is well:
    # placement: { prefer: ${scalar(answers.nodes[0]?.name ?? "n1")}, failback: manual }
`;
}

const FENCING = `  # How a node is kept from writing when it is lost. scsi: persistent reservations on the volumes' LUNs.
  fencing: [{ agent: scsi }]
  # How soon a node counts as lost: patient (22 s), balanced (7 s), fast (2 s). See docs/cluster.md.
  # detection: balanced
`;

const PLAIN = /^[A-Za-z0-9/][A-Za-z0-9/._:-]*$/;

/** Plain where YAML reads it as the same text, quoted otherwise, so that no answer can become anything but a text. */
function scalar(text: string): string {
  const plain = PLAIN.test(text) && !text.endsWith(":") && !LIKE_A_VALUE.test(text);
  return plain || parseAddress(text)?.family === 4 ? text : JSON.stringify(text);
}

/** Numbers and words that YAML 1.2 (chapter 10.3, core schema) reads as something else than a text. */
const LIKE_A_VALUE = /^(?:true|false|null|0x.*|0o.*|[0-9]+\.?[0-9]*(?:e[0-9]*)?)$/i;
