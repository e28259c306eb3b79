/** The kernel's IPVS table as far as Holdfast uses it: services found by packet mark, with direct return. */

export interface IpvsService {
  readonly mark: number;
  readonly family: 4 | 6;
  /** As `ipvsadm -s` takes it. */
  readonly scheduler: string;
  /** Seconds for which all connections of one client go to one server; undefined: not at all. */
  readonly persistentS?: number;
  readonly servers: readonly IpvsServer[];
}

export interface IpvsServer {
  /** Canonical text. */
  readonly address: string;
  readonly weight: number;
}

/** One change of the table. Each is one call of the kernel; there is none that does several. */
export type IpvsEdit =
  | { readonly edit: "add-service" | "change-service"; readonly service: Omit<IpvsService, "servers"> }
  | { readonly edit: "delete-service"; readonly service: Pick<IpvsService, "mark" | "family"> }
  | {
      readonly edit: "add-server" | "change-server";
      readonly service: Pick<IpvsService, "mark" | "family">;
      readonly server: IpvsServer;
    }
  | {
      readonly edit: "delete-server";
      readonly service: Pick<IpvsService, "mark" | "family">;
      readonly server: Pick<IpvsServer, "address">;
    };

/** What of a flow the packet filter needs. */
export interface FlowRule {
  readonly mark: number;
  readonly interface: string;
  readonly addresses: readonly { readonly family: 4 | 6; readonly address: string }[];
  /** Nobody serves: packets wait unanswered, because every answer would make clients back off. */
  readonly held: boolean;
  /** Packets of connections that the table does not know are answered with a reset. */
  readonly resets: boolean;
}

/** One entry of the kernel's table of connections. */
export interface IpvsConnection {
  readonly protocol: "tcp" | "udp" | "other";
  readonly state: string;
  readonly client: Endpoint;
  /** The flow's address. */
  readonly virtual: Endpoint;
  readonly server: Endpoint;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}
