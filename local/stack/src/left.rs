//! What the emulated AWS holds of a connection, counted without the product's own code.

use serde_json::{Value, json};

use crate::home::{Left, Traces};
use crate::stack::Stack;

impl Stack {
    /// Counts what the stores hold of the generations of a connection.
    pub async fn left(&self, of: &Traces) -> anyhow::Result<Left> {
        let aws = self.aws();
        let bucket = self.output("BucketName")?;
        let secrets = aws
            .json("secretsmanager", "secretsmanager.ListSecrets", &json!({"MaxResults": 100}))
            .await?;
        let listed = secrets["SecretList"].as_array().into_iter().flatten();
        let ours =
            listed.filter(|s| s["Name"].as_str().is_some_and(|name| name.contains(&of.secrets)));
        Ok(Left {
            items: self.items_in(&of.partitions).await?,
            objects: aws.object_keys(bucket, &of.objects).await?.len(),
            secrets: ours.count(),
        })
    }

    /// Items whose partition begins with `prefix`.
    async fn items_in(&self, prefix: &str) -> anyhow::Result<usize> {
        let table = self.output("TableName")?;
        let mut items = 0;
        let mut start = Value::Null;
        loop {
            let mut input = json!({
                "TableName": table,
                "ProjectionExpression": "pk",
                "FilterExpression": "begins_with(pk, :p)",
                "ExpressionAttributeValues": {":p": {"S": prefix}},
            });
            if !start.is_null() {
                input["ExclusiveStartKey"] = start;
            }
            let page = self.aws().json("dynamodb", "DynamoDB_20120810.Scan", &input).await?;
            items += page["Items"].as_array().map_or(0, Vec::len);
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                return Ok(items);
            }
        }
    }
}
