import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { describeAwsError } from "./aws-errors.ts";
import { type Connection, stsClient } from "./connection.ts";

/**
 * The account that the credentials belong to, 12 digits.
 *
 * @throws {UploaderError}
 */
export async function accountOf(connection: Connection): Promise<string> {
  const sts = stsClient(connection);
  try {
    return (await sts.send(new GetCallerIdentityCommand())).Account ?? "";
  } catch (error) {
    throw describeAwsError(error, "AWS did not say which account this is");
  } finally {
    sts.destroy();
  }
}
