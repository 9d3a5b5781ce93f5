//! Handing models on to another home of the product, and taking them over.

use super::{ModelError, Models};
use crate::capabilities::audit::Actor;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::TunedModel;
use crate::capabilities::linking::keys::model_object;
use crate::kernel::ModelId;
use crate::store::Commit;
use crate::work::WorkError;

impl Models {
    /// A model as the engine writes it; none before it was trained.
    pub(crate) async fn content(
        &self,
        generation: &OpenGeneration,
        model: ModelId,
    ) -> Result<Option<String>, WorkError> {
        let key = model_object(generation.keys.scope(), model);
        let plain = generation.get_object(&self.ports, &key).await?;
        plain
            .map(|plain| {
                String::from_utf8(plain)
                    .map_err(|_| WorkError::reject("read a model", "it is no text"))
            })
            .transpose()
    }

    /// Takes over a model that is ready. False when it is here.
    pub(crate) async fn take_over(
        &self,
        generation: &OpenGeneration,
        model: &TunedModel,
        content: &str,
    ) -> Result<bool, WorkError> {
        let slot = generation.keys.model(model.id);
        if self.store.load(&slot).await?.is_some() {
            return Ok(false);
        }
        // The object first: a model that is listed can be opened.
        let key = model_object(generation.keys.scope(), model.id);
        generation.put_object(&self.ports, &key, content.as_bytes()).await?;
        let mut commit = Commit::new();
        commit.create(&slot, model)?;
        Ok(self.store.commit(commit).await?.is_done())
    }

    /// Matches with the model that another home matched with, unless a choice was made here.
    pub(crate) async fn take_over_choice(
        &self,
        generation: &OpenGeneration,
        model: ModelId,
    ) -> Result<bool, WorkError> {
        let chosen = self.store.read(&generation.keys.model_choice()).await?;
        if chosen.is_some_and(|choice| choice.number > 0) {
            return Ok(false);
        }
        match self.choose(generation.keys.scope(), Some(model), &Actor::Service).await {
            Ok(_) => Ok(true),
            Err(ModelError::Work(error)) => Err(error),
            Err(error) => Err(WorkError::reject("take a choice over", error)),
        }
    }
}
