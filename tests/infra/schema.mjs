// Extracts what the Pulumi program needs of the provider's schema from the declarations of `@pulumi/aws`: the inputs and outputs of the
// resources and functions that it uses, and the types of objects in them. No registry has the schema itself.
//
// The declarations are only parsed, not type-checked: they are generated, so that a few forms are all there is. A form that isn't
// known here is an error, and nothing is left out in silence.
//
// Usage: cargo run -q -p hubbub-infra-checks | node tests/infra/schema.mjs; README.md says what to install first.
//
// A type is `string`, `number`, `boolean`, `any`, `archive`, `T[]`, `{T}` (a map), `=Name` (one of the enum's strings), or the name of
// an object's type; a `?` at the end says that the property may be left out.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import ts from "typescript";

const require = createRequire(import.meta.url);
const packageFile = require.resolve("@pulumi/aws/package.json");

const parsed = new Map();

/** A file, parsed once for everybody and without its comments, which are most of it. */
function parse(file) {
    if (!parsed.has(file)) {
        const options = { languageVersion: ts.ScriptTarget.ES2022, jsDocParsingMode: ts.JSDocParsingMode.ParseNone };
        parsed.set(file, ts.createSourceFile(file, readFileSync(file, "utf8"), options));
    }
    return parsed.get(file);
}

/** A file of declarations, by what it declares. */
class Declarations {
    constructor(file) {
        const name = path.join(path.dirname(packageFile), `${file}.d.ts`);
        if (!existsSync(name)) {
            throw new Error(`the provider declares no \`${file}\``);
        }
        this.statements = parse(name).statements;
    }

    /** An interface, in a namespace or outside; undefined if there is none. */
    interface(name) {
        return this.find(name, ts.isInterfaceDeclaration);
    }

    find(name, isKind) {
        const [last, ...namespaces] = name.split(".").reverse();
        let statements = this.statements;
        for (const namespace of namespaces.reverse()) {
            statements = statements
                .filter((it) => ts.isModuleDeclaration(it) && it.name.text === namespace)
                .flatMap((it) => it.body.statements);
        }
        return statements.find((it) => isKind(it) && it.name?.text === last);
    }
}

/** The schema of these resource types and functions, with all keys in order. */
function extract(resourceTypes, functions) {
    const schema = new Schema();
    const resources = resourceTypes.map((token) => [token, schema.resource(token)]);
    const invokes = functions.map((token) => [token, schema.invoke(token)]);
    const { version } = JSON.parse(readFileSync(packageFile, "utf8"));
    return sorted({
        version,
        resources: Object.fromEntries(resources),
        functions: Object.fromEntries(invokes),
        types: Object.fromEntries(schema.types),
        enums: Object.fromEntries(schema.enums),
    });
}

class Schema {
    types = new Map();
    enums = new Map();

    resource(token) {
        const { file, name } = locate(token);
        const declarations = new Declarations(file);
        const inputs = declarations.interface(`${name}Args`);
        const outputs = declarations.find(name, ts.isClassDeclaration);
        if (!inputs || !outputs) {
            throw new Error(`\`${token}\` is no resource`);
        }
        return { inputs: this.properties(inputs, "input"), outputs: { id: "string", ...this.outputs(outputs) } };
    }

    invoke(token) {
        const { file, name } = locate(token);
        const declarations = new Declarations(file);
        const inputs = declarations.interface(`${capital(name)}OutputArgs`);
        const outputs = declarations.interface(`${capital(name)}Result`);
        if (!outputs) {
            throw new Error(`\`${token}\` is no function`);
        }
        return { inputs: inputs ? this.properties(inputs, "input") : {}, outputs: this.outputs(outputs) };
    }

    outputs(declaration) {
        return this.properties(declaration, "output");
    }

    properties(declaration, direction) {
        const isProperty = (it) => ts.isPropertySignature(it) || ts.isPropertyDeclaration(it);
        const isStatic = (it) => it.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.StaticKeyword);
        const properties = declaration.members.filter((it) => isProperty(it) && !isStatic(it));
        return Object.fromEntries(
            properties.map((it) => {
                const optional = direction === "input" && it.questionToken ? "?" : "";
                return [it.name.text, this.type(it.type, direction) + optional];
            }),
        );
    }

    type(node, direction) {
        switch (node.kind) {
            case ts.SyntaxKind.StringKeyword:
                return "string";
            case ts.SyntaxKind.NumberKeyword:
                return "number";
            case ts.SyntaxKind.BooleanKeyword:
                return "boolean";
            case ts.SyntaxKind.AnyKeyword:
                return "any";
            case ts.SyntaxKind.ArrayType:
                return `${this.type(node.elementType, direction)}[]`;
            case ts.SyntaxKind.TypeLiteral:
                return `{${this.type(node.members[0].type, direction)}}`;
            case ts.SyntaxKind.UnionType:
                return this.union(node, direction);
            case ts.SyntaxKind.TypeReference:
                return this.reference(node, direction);
            default:
                throw new Error(`a type of an unknown form: ${ts.SyntaxKind[node.kind]}`);
        }
    }

    /** What may be left out; a string that has known values; a string in whose place TypeScript takes an object. */
    union(node, direction) {
        const members = node.types.filter((it) => it.kind !== ts.SyntaxKind.UndefinedKeyword);
        const isEnum = (it) => ts.isTypeReferenceNode(it) && dotted(it.typeName).startsWith("enums.");
        const chosen =
            members.find(isEnum) ?? members.find((it) => it.kind === ts.SyntaxKind.StringKeyword) ?? members[0];
        if (members.length > 1 && chosen.kind !== ts.SyntaxKind.StringKeyword && !isEnum(chosen)) {
            throw new Error("a choice between types that has no string");
        }
        return this.type(chosen, direction);
    }

    reference(node, direction) {
        const name = dotted(node.typeName);
        if (["pulumi.Input", "pulumi.Output"].includes(name)) {
            return this.type(node.typeArguments[0], direction);
        }
        if (name === "pulumi.asset.Archive") {
            return "archive";
        }
        if (name === "ARN" || name.endsWith(".ARN")) {
            return "string";
        }
        const [kind, ...rest] = name.split(".");
        switch (kind) {
            case "inputs":
                return this.object(rest.join("."));
            case "outputs":
                // No reference of the program goes into an object.
                return "any";
            case "enums":
                return this.enum(rest);
            default:
                throw new Error(`a type of an unknown name: ${name}`);
        }
    }

    object(name) {
        if (!this.types.has(name)) {
            // Taken before it is filled, as a type may have itself in it.
            this.types.set(name, {});
            const declaration = new Declarations("types/input").interface(name);
            if (!declaration) {
                throw new Error(`the provider declares no type \`${name}\``);
            }
            this.types.set(name, this.properties(declaration, "input"));
        }
        return name;
    }

    enum([module, name]) {
        const isConstant = (it) => ts.isVariableStatement(it) && it.declarationList.declarations[0].name.text === name;
        const constant = new Declarations(`types/enums/${module}/index`).statements.find(isConstant);
        const values = constant.declarationList.declarations[0].type.members.map((it) => it.type.literal.text);
        this.enums.set(`${module}.${name}`, values.sort());
        return `=${module}.${name}`;
    }
}

/** Where a token such as `aws:sqs:Queue` is declared. */
function locate(token) {
    const [provider, module, name] = token.split(":");
    if (provider === "pulumi" && name === "aws") {
        return { file: "provider", name: "Provider" };
    }
    const file = name === undefined ? module : `${module}/${name[0].toLowerCase()}${name.slice(1)}`;
    return { file, name: name ?? module };
}

function capital(name) {
    return name[0].toUpperCase() + name.slice(1);
}

function dotted(name) {
    return ts.isIdentifier(name) ? name.text : `${dotted(name.left)}.${name.right.text}`;
}

function sorted(value) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
        return value;
    }
    const names = Object.keys(value).sort();
    return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
}

const { resources, functions } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(extract(resources, functions), null, 2));
