/** What an agent says of a fileserver to the directors before it. */
export const ROLE_WORDS = ["opening", "serving", "releasing", "standby", "unclear"] as const;
/**
 * opening: a takeover runs, the link is still down. serving: the link is up and everything listens. releasing: a release
 * runs. standby: it does not serve here. unclear: the agent could not find out.
 */
export type RoleWord = (typeof ROLE_WORDS)[number];
