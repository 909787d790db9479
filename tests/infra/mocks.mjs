// Runs a program under Pulumi's mocks: no engine, no provider, and outputs such as AWS gives.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const pulumi = require("@pulumi/pulumi");

const region = "eu-west-1";
const account = "123456789012";
const arn = (service, rest) => `arn:aws:${service}:${region}:${account}:${rest}`;

/** What AWS adds to a resource's inputs, by type. */
const added = {
    "aws:apigatewayv2/api:Api": (id) => ({ executionArn: arn("execute-api", id), apiEndpoint: `wss://${id}.invalid` }),
    "aws:apigatewayv2/domainName:DomainName": (_, { domainNameConfiguration }) => ({
        domainNameConfiguration: {
            ...domainNameConfiguration,
            targetDomainName: `d-1.execute-api.${region}.amazonaws.com`,
            hostedZoneId: "Z1",
        },
    }),
    "aws:cloudwatch/logGroup:LogGroup": (_, { name }) => ({ arn: arn("logs", `log-group:${name}`) }),
    "aws:dynamodb/table:Table": (_, { name }) => ({ arn: arn("dynamodb", `table/${name}`) }),
    "aws:iam/policy:Policy": (_, { name }) => ({ arn: `arn:aws:iam::${account}:policy/${name}` }),
    "aws:iam/role:Role": (_, { name }) => ({ arn: `arn:aws:iam::${account}:role/${name}` }),
    "aws:lambda/function:Function": (_, { name }) => {
        const function_ = arn("lambda", `function:${name}`);
        const invoke = `arn:aws:apigateway:${region}:lambda:path/2015-03-31/functions/${function_}/invocations`;
        return { arn: function_, invokeArn: invoke };
    },
    "aws:sfn/stateMachine:StateMachine": (_, { name }) => ({ arn: arn("states", `stateMachine:${name}`) }),
    "aws:sns/topic:Topic": (_, { name }) => ({ arn: arn("sns", name) }),
    "aws:sqs/queue:Queue": (_, { name }) => ({
        arn: arn("sqs", name),
        url: `https://sqs.${region}.amazonaws.com/${account}/${name}`,
    }),
    "aws:ssm/parameter:Parameter": (_, { name }) => ({ arn: arn("ssm", `parameter${name}`) }),
};

const answers = {
    "aws:index/getRegion:getRegion": { region },
    "aws:index/getCallerIdentity:getCallerIdentity": { accountId: account },
};

/** The resources that a program makes, with their inputs resolved: `{ name, type, inputs }`. */
export async function resolve(file) {
    const resources = [];
    await pulumi.runtime.setMocks(
        {
            newResource({ name, type, inputs }) {
                resources.push({ name, type, inputs });
                const id = `${name}-id`;
                return { id, state: { ...inputs, ...added[type]?.(id, inputs) } };
            },
            call({ token, inputs }) {
                if (!(token in answers)) {
                    throw new Error(`there is no answer to \`${token}\``);
                }
                return { ...inputs, ...answers[token] };
            },
        },
        "hubbub",
        "dev",
        false,
    );
    pulumi.runtime.setAllConfig({ "hubbub:tokenKey": "0123456789abcdef0123456789abcdef" });
    const { outputs } = require(file);
    await pulumi.output(outputs).promise();
    await pulumi.runtime.waitForRPCs();
    return resources;
}
