//! A customer leaves: disconnect, purge, and a look into every store.

use anyhow::bail;
use serde_json::{Value, json};

use super::{Demo, ENVIRONMENT, Look, number, text};

impl Demo {
    pub(super) async fn disconnect(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("disconnect");
        let before = self.left().await?;
        let reply = self.service.delete(&self.connection()).await?;
        let (purge, generation) = (text(&reply, "purge_id")?, number(&reply, "generation"));
        let path = format!("/v1/tenants/{}/purges/{purge}", self.tenant);
        let done = self
            .until("the purge", async || {
                let purge = self.service.get(&path).await?;
                let state = text(&purge, "state")?;
                step.at(state.clone());
                Ok(if state == "complete" { Look::Done(purge) } else { Look::At(state) })
            })
            .await?;
        if done["certificate"].is_null() {
            bail!("the purge ended without a certificate: {done}");
        }
        let after = self.left().await?;
        self.report.section(format!("Disconnected: generation {generation} purged"));
        for (what, had, has) in [
            ("items", before.items, after.items),
            ("objects", before.objects, after.objects),
            ("secrets", before.secrets, after.secrets),
        ] {
            self.report.line(format!("{what:<8} {had:>7} before, {has} after"));
            self.report.require(format!("{what} were there before the purge"), had > 0);
            self.report.check(format!("{what} left after the purge"), &0, &has);
        }
        let alive = self.control.live_grants().await?;
        self.report.check("grants that Salesforce still honours", &0, &alive);
        self.report.line(format!("grants that Salesforce still honours: {alive}"));
        self.report.line(format!("certificate {}", done["certificate"]));
        step.done(&format!(
            "{} items, {} objects, {} secrets gone",
            before.items, before.objects, before.secrets
        ));
        Ok(())
    }

    /// Counts what the stores hold of the connection's generations, without our own code.
    async fn left(&self) -> anyhow::Result<Left> {
        let aws = self.stack.aws();
        let bucket = self.stack.output("BucketName")?;
        let prefix = format!("{}/{ENVIRONMENT}/", self.tenant);
        let secrets = aws
            .json("secretsmanager", "secretsmanager.ListSecrets", &json!({"MaxResults": 100}))
            .await?;
        let listed = secrets["SecretList"].as_array().into_iter().flatten();
        let ours =
            listed.filter(|s| s["Name"].as_str().is_some_and(|name| name.contains(&self.tenant)));
        Ok(Left {
            items: self.items_of_generations().await?,
            objects: aws.object_keys(bucket, &prefix).await?.len(),
            secrets: ours.count(),
        })
    }

    /// Items whose partition is one of the connection's generations:
    /// `GEN#tenant#environment#number#…`.
    async fn items_of_generations(&self) -> anyhow::Result<usize> {
        let table = self.stack.output("TableName")?;
        let prefix = format!("GEN#{}#{ENVIRONMENT}#", self.tenant);
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
            let page = self.stack.aws().json("dynamodb", "DynamoDB_20120810.Scan", &input).await?;
            items += page["Items"].as_array().map_or(0, Vec::len);
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                return Ok(items);
            }
        }
    }
}

/// Counts per store.
struct Left {
    items: usize,
    objects: usize,
    secrets: usize,
}
