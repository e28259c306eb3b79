/** The connections of one client of the crowd. Each is made when it is first needed, and again after it has ended. */
import type { CrowdConfig } from "./config.ts";
import { openConnection, type Connection } from "./connection.ts";
import {
  CREATE,
  encodeCreate,
  encodeLookup,
  encodeMount,
  LOOKUP,
  MOUNT,
  MOUNT_PROGRAM,
  NFS_NULL,
  readCreate,
  readLookup,
  readMount,
  REMOVE,
  type Handle,
} from "./nfs-calls.ts";
import {
  encodePortQuestion,
  GET_PORT,
  NFS_PROGRAM,
  NLM_PROGRAM,
  NLM_VERSION,
  PROTOCOL_TCP,
  readPort,
  type Credential,
} from "../../nfs/rpc.ts";

const ANSWER_TIMEOUT_MS = 15_000;
const FILE_MODE = 0o666;

export interface Lines {
  /** Over the connection to nfsd. */
  files: Connection["call"];
  /** Over the connection to lockd. */
  locks: Connection["call"];
  /** The next lock request asks the server's portmapper and connects anew. */
  forgetLocks(): void;
  /** Mounts, makes the file where it is missing, and keeps the connection to nfsd. */
  makeFile(name: string): Promise<Handle>;
  removeFile(name: string): Promise<void>;
  close(): void;
}

export function openLines(config: CrowdConfig, address: string, credential: Credential): Lines {
  const [firstPort, lastPort] = config.sourcePorts;
  let localPort = firstPort;
  let [files, locks]: (Connection | undefined)[] = [];
  let folder: Handle | undefined;
  const open = (port: number): Promise<Connection> => {
    // Never the same port twice in a row: what the server still knows of the old connection is in nobody's way.
    localPort = localPort >= lastPort ? firstPort : localPort + 1;
    return openConnection({
      host: config.host,
      port,
      localAddress: address,
      localPort,
      credential,
      timeoutMs: ANSWER_TIMEOUT_MS,
    });
  };
  const once = async (port: number, ...request: Parameters<Connection["call"]>): Promise<Uint8Array> => {
    const connection = await open(port);
    try {
      return await connection.call(...request);
    } finally {
      connection.drop();
    }
  };
  const portOf = async (program: number, version: number): Promise<number> => {
    const question = encodePortQuestion({ program, version, protocol: PROTOCOL_TCP });
    const port = readPort(await once(config.serverPortmapPort, GET_PORT, question));
    if (port === 0) throw new Error(`the server's portmapper knows no program ${program}`);
    return port;
  };
  const callFiles: Connection["call"] = async (...request) => {
    if (files?.isOpen() !== true) files = await open(await portOf(NFS_PROGRAM, NFS_NULL.version));
    return files.call(...request);
  };
  return {
    files: callFiles,
    locks: async (...request) => {
      if (locks?.isOpen() !== true) locks = await open(await portOf(NLM_PROGRAM, NLM_VERSION));
      return locks.call(...request);
    },
    forgetLocks: () => locks?.drop(),
    makeFile: async (name) => {
      const mountPort = await portOf(MOUNT_PROGRAM, MOUNT.version);
      const root = readMount(await once(mountPort, MOUNT, encodeMount(config.exportPath)));
      folder = readLookup(await callFiles(LOOKUP, encodeLookup(root, config.directory)));
      const made = readCreate(await callFiles(CREATE, encodeCreate(folder, name, FILE_MODE)));
      return made ?? readLookup(await callFiles(LOOKUP, encodeLookup(folder, name)));
    },
    removeFile: async (name) => {
      if (folder !== undefined) await callFiles(REMOVE, encodeLookup(folder, name));
    },
    close: () => {
      files?.drop();
      locks?.drop();
    },
  };
}
