//! A customer leaves: disconnect, purge, and a look into every store.

use anyhow::bail;

use crate::home::Traces;

use super::{Demo, ENVIRONMENT, Look, number, text};

impl Demo {
    pub(super) async fn disconnect(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("disconnect");
        let tenant = &self.tenant;
        let traces = Traces {
            partitions: format!("GEN#{tenant}#{ENVIRONMENT}#"),
            objects: format!("{tenant}/{ENVIRONMENT}/"),
            secrets: tenant.clone(),
        };
        let before = self.home.left(&traces).await?;
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
        let after = self.home.left(&traces).await?;
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
}
