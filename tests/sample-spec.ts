/** The lab's spec as text: two nodes, two fileservers. Tests change a line of it and look at what comes of it. */
export const SAMPLE_SPEC = `apiVersion: holdfast/v1
cluster:
  name: lab
  engine: standalone
  nodes:
    - { name: n1, addresses: [10.77.0.11, 10.78.0.11] }
    - { name: n2, addresses: [10.77.0.12, 10.78.0.12] }
  ssh: { config: ssh_config }
fileservers:
  - name: home
    hostname: home.lab.example
    address: [10.77.0.50/24, fd77::50/64]
    interface: eth1
    volumes:
      - { name: data, device: home/data, filesystem: xfs }
    exports:
      - path: /export/data
        volume: data
        clients: [{ match: 10.77.0.0/24, options: [rw] }]
    placement: { prefer: n1, failback: manual }
  - name: media
    hostname: media.lab.example
    address: [10.77.0.51/24, fd77::51/64]
    interface: eth1
    volumes:
      - { name: data, device: media/data, filesystem: xfs }
    exports:
      - path: /export/data
        volume: data
        clients: [{ match: 10.77.0.0/24, options: [rw] }]
`;

/** The sample with one text replaced; the first place counts; throws where the text is not there, so that no test checks nothing. */
export function sampleWith(...changes: readonly (readonly [find: string, replace: string])[]): string {
  return changes.reduce((text, [find, replace]) => {
    const at = text.indexOf(find);
    if (at < 0) throw new Error(`the sample does not hold ${JSON.stringify(find)}`);
    return text.slice(0, at) + replace + text.slice(at + find.length);
  }, SAMPLE_SPEC);
}
