/** What the package exports. */

export { connect } from "./client.js";
export { HubbubError } from "./errors.js";
