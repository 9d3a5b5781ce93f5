//! Deploys `template.yaml` as it is, with the code of each function replaced by a package that runs
//! the binary built here.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::aws::{Aws, LocalName};
use crate::options::StackOptions;
use crate::watch::{PATIENCE, Watch};

const CODE_BUCKET: &str = "crm-sync-code";
const CODE_URI: &str = "CodeUri: functions/";
const STEP: Duration = Duration::from_millis(100);

/// Deploys the template and returns its outputs.
pub(crate) async fn deploy(
    aws: &Aws,
    options: &StackOptions,
    parameters: &[(&str, String)],
) -> anyhow::Result<BTreeMap<String, String>> {
    let path = options.template();
    let template =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    aws.create_bucket(CODE_BUCKET).await?;
    for function in functions(&template) {
        let package = package(function, &options.binaries.join(function))?;
        aws.put_object(CODE_BUCKET, function, package).await?;
    }
    let template = template.replace(CODE_URI, &format!("CodeUri: s3://{CODE_BUCKET}/"));
    // By address: CloudFormation takes no more than 51,200 bytes in the request itself.
    aws.put_object(CODE_BUCKET, "template.yaml", template.into_bytes()).await?;
    let mut form = vec![
        ("StackName".to_owned(), StackOptions::NAME.to_owned()),
        ("TemplateURL".to_owned(), format!("{}/{CODE_BUCKET}/template.yaml", aws.endpoint())),
        ("Capabilities.member.1".to_owned(), "CAPABILITY_IAM".to_owned()),
        ("Capabilities.member.2".to_owned(), "CAPABILITY_AUTO_EXPAND".to_owned()),
    ];
    for (i, (key, value)) in parameters.iter().enumerate() {
        let member = format!("Parameters.member.{}", i + 1);
        form.push((format!("{member}.ParameterKey"), (*key).to_owned()));
        form.push((format!("{member}.ParameterValue"), value.clone()));
    }
    aws.cloudformation("CreateStack", &form).await?;
    outputs_when_complete(aws).await
}

/// The folder names under `functions/` that the template deploys.
fn functions(template: &str) -> impl Iterator<Item = &str> {
    template.lines().filter_map(|line| line.trim().strip_prefix(CODE_URI))
}

/// A package whose bootstrap is the binary itself: nothing is copied, and a rebuilt binary is what
/// the next cold start runs. Its calls are signed by the function's name, so that one sees whose
/// they are; the emulator takes every key id that is no account's.
fn package(function: &str, binary: &Path) -> anyhow::Result<Vec<u8>> {
    let found = binary.canonicalize().with_context(|| {
        format!("{} is missing; `make build-local` builds the functions", binary.display())
    })?;
    let path =
        found.to_str().ok_or_else(|| anyhow!("the path of {} is not text", found.display()))?;
    ensure!(!path.contains('\''), "{path}: a path with a quotation mark cannot be deployed");
    ensure!(found.metadata()?.permissions().mode() & 0o111 != 0, "{path} cannot be executed");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    zip.start_file("bootstrap", stored)?;
    write!(zip, "#!/bin/sh\nAWS_ACCESS_KEY_ID='{function}' exec '{path}'\n")?;
    Ok(zip.finish()?.into_inner())
}

async fn outputs_when_complete(aws: &Aws) -> anyhow::Result<BTreeMap<String, String>> {
    let name = [("StackName".to_owned(), StackOptions::NAME.to_owned())];
    let mut watch = Watch::new(Instant::now());
    loop {
        let text = aws.cloudformation("DescribeStacks", &name).await?;
        let status = status(&text)?;
        if status == "CREATE_COMPLETE" {
            return outputs(&text);
        }
        let events = aws.cloudformation("DescribeStackEvents", &name).await?;
        if status != "CREATE_IN_PROGRESS" {
            bail!("the deployment ended as {status}:\n{}", reasons(&events)?);
        }
        let sight = format!("{} events", events.matches("<EventId>").count());
        if watch.stands_still(&sight, Instant::now()) {
            let minutes = PATIENCE.as_secs() / 60;
            bail!("the deployment: nothing has moved for {minutes} minutes; it stands at {sight}");
        }
        tokio::time::sleep(STEP).await;
    }
}

fn status(text: &str) -> anyhow::Result<String> {
    let document = roxmltree::Document::parse(text)?;
    let status = document.descendants().find(|n| n.has_tag_name_anywhere("StackStatus"));
    let status = status.and_then(|n| n.text()).ok_or_else(|| anyhow!("no status in {text}"))?;
    Ok(status.to_owned())
}

fn outputs(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let document = roxmltree::Document::parse(text)?;
    Ok(pairs(&document, "OutputKey", "OutputValue").collect())
}

fn reasons(text: &str) -> anyhow::Result<String> {
    let document = roxmltree::Document::parse(text)?;
    let lines = pairs(&document, "LogicalResourceId", "ResourceStatusReason");
    Ok(lines
        .map(|(resource, reason)| format!("{resource}: {reason}"))
        .collect::<Vec<_>>()
        .join("\n"))
}

/// The texts of two children of the same element, wherever both occur.
fn pairs<'a>(
    document: &'a roxmltree::Document<'_>,
    key: &'a str,
    value: &'a str,
) -> impl Iterator<Item = (String, String)> + 'a {
    document.descendants().filter_map(move |node| {
        let text = |name: &str| {
            node.children().find(|c| c.has_tag_name_anywhere(name))?.text().map(str::to_owned)
        };
        Some((text(key)?, text(value)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_read_from_the_template() {
        let template =
            "    A:\n      CodeUri: functions/api\n    B:\n      CodeUri: functions/writeback\n";
        assert_eq!(functions(template).collect::<Vec<_>>(), ["api", "writeback"]);
    }

    #[test]
    fn outputs_are_read_without_regard_to_the_namespace() {
        let text = "<R xmlns='x'><Outputs><member><OutputKey>ApiUrl</OutputKey>\
                    <OutputValue>http://x</OutputValue></member></Outputs></R>";
        let outputs = outputs(text).unwrap();
        assert_eq!(outputs["ApiUrl"], "http://x");
    }

    #[test]
    fn a_failed_deployment_names_the_resources_that_failed() {
        let text = "<R><member><LogicalResourceId>Table</LogicalResourceId>\
                    <ResourceStatusReason>exists</ResourceStatusReason></member></R>";
        assert_eq!(reasons(text).unwrap(), "Table: exists");
    }

    #[test]
    fn a_missing_binary_is_named_with_what_builds_it() {
        let error = package("api", Path::new("/nowhere/api")).unwrap_err().to_string();
        assert_eq!(error, "/nowhere/api is missing; `make build-local` builds the functions");
    }
}
