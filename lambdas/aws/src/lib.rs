//! Hubbub's ports on AWS: DynamoDB, SQS, Step Functions, API Gateway, SSM.
