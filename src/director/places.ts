/** Where a director keeps things on its machine; nothing of it has to survive a restart. */
export const DIRECTOR_PLACES = {
  spec: "/etc/holdfast/holdfast.yaml",
  socket: "/run/holdfast/director.sock",
} as const;
