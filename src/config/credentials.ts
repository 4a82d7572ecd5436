/** Word parts that name a credential, once a name is in lower case with `_` between its words. */
const CREDENTIAL_WORDS =
  /(^|_)(secret|password|passwd|passphrase|token|credentials?)($|_)|access_?key|api_?key|private_?key/;

/** Whether a key's name says that its value is a credential: `aws_access_key_id`, `sessionToken`, … */
export function looksLikeCredential(key: string): boolean {
  const words = key.replace(/([a-z0-9])([A-Z])/g, "$1_$2").replace(/[^A-Za-z0-9]+/g, "_");
  return CREDENTIAL_WORDS.test(words.toLowerCase());
}

/** The part of such a key that is surely its name: `aws_secret_key=VALUE` may have lost its colon. */
export function credentialName(key: string): string {
  return /^[\w.-]*/.exec(key)?.[0] || "…";
}

export const CREDENTIAL_MESSAGE =
  "credentials do not belong in the file; take it out and leave them to AWS's default chain (environment, profile, web identity, container or instance role)";
