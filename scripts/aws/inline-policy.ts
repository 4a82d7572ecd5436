import {
  DeleteRolePolicyCommand,
  DeleteUserPolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  GetUserCommand,
  GetUserPolicyCommand,
  type IAMClient,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import { UploaderError } from "../../src/core/errors.ts";
import { describeAwsError, orNull } from "./aws-errors.ts";
import type { PolicyDocument } from "./bucket-policy.ts";
import type { Property } from "./desired-state.ts";
import { allowedActions } from "./policy-files.ts";

/** Who holds a policy. */
export interface Holder {
  readonly kind: "user" | "role";
  readonly name: string;
}

/** A policy of the holder's own, as it should be; null: there should be none. */
export function inlinePolicy(
  iam: IAMClient,
  { kind, name }: Holder,
  PolicyName: string,
  wanted: PolicyDocument | null,
): Property<PolicyDocument> {
  const user = { UserName: name, PolicyName };
  const role = { RoleName: name, PolicyName };
  return {
    name: `policy ${PolicyName}`,
    async read() {
      const answer = await orNull<{ PolicyDocument: string | undefined }>(
        kind === "user" ? iam.send(new GetUserPolicyCommand(user)) : iam.send(new GetRolePolicyCommand(role)),
      );
      return answer?.PolicyDocument ? parseDocument(answer.PolicyDocument) : null;
    },
    wanted: () => wanted,
    async write(state) {
      const PolicyDocument = JSON.stringify(state);
      if (kind === "user") await iam.send(new PutUserPolicyCommand({ ...user, PolicyDocument }));
      else await iam.send(new PutRolePolicyCommand({ ...role, PolicyDocument }));
    },
    async remove() {
      if (kind === "user") await iam.send(new DeleteUserPolicyCommand(user));
      else await iam.send(new DeleteRolePolicyCommand(role));
    },
    text: (state) => allowedActions({ Statement: [state.Statement].flat() }).join(", "),
  };
}

/** IAM gives documents in the encoding of URLs. */
export function parseDocument(text: string): PolicyDocument {
  return JSON.parse(text.startsWith("%") ? decodeURIComponent(text) : text) as PolicyDocument;
}

/** @throws {UploaderError} USAGE where there is no such user or role */
export async function assertThere(iam: IAMClient, { kind, name }: Holder): Promise<void> {
  try {
    const found = await orNull<unknown>(
      kind === "user"
        ? iam.send(new GetUserCommand({ UserName: name }))
        : iam.send(new GetRoleCommand({ RoleName: name })),
    );
    if (found !== null) return;
  } catch (error) {
    throw describeAwsError(error, `The ${kind} ${name} could not be looked at`);
  }
  throw new UploaderError({
    code: "USAGE",
    message: `There is no ${kind} ${name} in this account.`,
    hint: `Make the ${kind} first, or correct --${kind}.`,
  });
}
