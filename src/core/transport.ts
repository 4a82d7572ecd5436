/** As `URL` has it, and the request of the SDK. */
interface Destination {
  /** With its colon. */
  readonly protocol: string;
  readonly hostname: string;
}

/** Whether what is sent there leaves this machine in the clear. */
export function isInsecure({ protocol, hostname }: Destination): boolean {
  return protocol !== "https:" && !isLoopback(hostname);
}

/** 127.0.0.0/8, ::1, and localhost with what is below it (RFC 6761, 6.3). */
function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  return /^127(\.\d{1,3}){3}$/.test(name) || name === "[::1]" || /(^|\.)localhost$/.test(name);
}
