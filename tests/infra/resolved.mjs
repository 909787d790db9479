// What must hold of resources whose inputs are resolved, as the provider would be given them.

/** Properties that are JSON as text. */
const documents = ["assumeRolePolicy", "definition", "policy", "redrivePolicy"];

/** What a property must look like when all is resolved, by type and property. */
const forms = [
    ["aws:apigatewayv2/authorizer:Authorizer", "authorizerUri", /^arn:aws:apigateway:[^:]+:lambda:path\/.+\/invocations$/],
    ["aws:apigatewayv2/integration:Integration", "integrationUri", /^arn:aws:apigateway:[^:]+:lambda:path\/.+\/invocations$/],
    ["aws:apigatewayv2/route:Route", "routeKey", /^\$?[a-z]+$/],
    ["aws:apigatewayv2/route:Route", "target", /^integrations\/[A-Za-z-]+$/],
    ["aws:apigatewayv2/api:Api", "routeSelectionExpression", /^\$request\.body\.action$/],
    ["aws:iam/rolePolicy:RolePolicy", "role", /^hubbub-dev-[a-z-]+$/],
    ["aws:lambda/eventSourceMapping:EventSourceMapping", "eventSourceArn", /^arn:aws:sqs:[^:]+:\d{12}:.+\.fifo$/],
    ["aws:lambda/function:Function", "role", /^arn:aws:iam::\d{12}:role\/.+$/],
    ["aws:lambda/permission:Permission", "sourceArn", /^arn:aws:execute-api:[^:]+:\d{12}:[^/]+\/.+$/],
    ["aws:sfn/stateMachine:StateMachine", "roleArn", /^arn:aws:iam::\d{12}:role\/.+$/],
    ["aws:sqs/queue:Queue", "name", /^[A-Za-z0-9_-]{1,75}\.fifo$/],
];

/** The problems of resolved resources. */
export function problemsOf(resources, validateStateMachine) {
    const problems = [];
    for (const { name, type, inputs } of resources) {
        const report = (property, problem) => problems.push(`${name}.${property}: ${problem}`);
        for (const [property, text] of texts(inputs)) {
            // A reference or an escape that is still there, or an output that was made text too early.
            for (const rest of ["${", "$$", "[Output", "Calling [toString]", "[object", "undefined"]) {
                if (text.includes(rest)) {
                    report(property, `has \`${rest}\` in it: ${text.slice(0, 200)}`);
                }
            }
        }
        for (const property of documents.filter((it) => it in inputs)) {
            try {
                JSON.parse(inputs[property]);
            } catch (error) {
                report(property, `is not JSON: ${error.message}`);
            }
        }
        for (const [, property, form] of forms.filter(([kind]) => kind === type)) {
            if (!form.test(inputs[property])) {
                report(property, `is \`${inputs[property]}\`, which is not like ${form}`);
            }
        }
        if (type === "aws:sfn/stateMachine:StateMachine") {
            const { isValid, errors } = validateStateMachine(JSON.parse(inputs.definition));
            if (!isValid) {
                report("definition", JSON.stringify(errors));
            }
        }
    }
    return problems;
}

/** All texts in a value, with where they are. */
function* texts(value, at = "") {
    if (typeof value === "string") {
        yield [at, value];
    } else if (value !== null && typeof value === "object") {
        for (const [name, inner] of Object.entries(value)) {
            yield* texts(inner, at === "" ? name : `${at}.${name}`);
        }
    }
}
