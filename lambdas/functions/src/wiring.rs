//! Each function on AWS: its configuration from the environment, its ports, and its loop over events.

use hubbub_aws::clients::Clients;
use hubbub_aws::metrics::Metered;
use hubbub_aws::runtime::{read_config, serve, serve_metered};
use hubbub_aws::system::System;
use hubbub_core::functions::Function;
use hubbub_core::limits::budget::Budget;
use hubbub_core::settings::{
    AnnounceConfig, AuthorizeConfig, ConnectConfig, DeliverConfig, DeliverPageConfig, DisconnectConfig,
    PlanBroadcastConfig, ReceiveConfig,
};
use lambda_runtime::Error;

use crate::authorize::keys::StackKeys;
use crate::{announce, authorize, connect, deliver, deliver_page, disconnect, plan_broadcast, receive};

/// Serves a function's events until its environment ends.
///
/// # Errors
/// When the configuration has a missing or bad value, or the Runtime API can't be reached.
pub async fn serve_function(function: Function) -> Result<(), Error> {
    let clients = Clients::from_environment();
    // Boxed, so that a process doesn't hold the memory of the largest function's future on its stack.
    match function {
        Function::Authorize => Box::pin(serve_authorize(&clients)).await,
        Function::Connect => Box::pin(serve_connect(&clients)).await,
        Function::Disconnect => Box::pin(serve_disconnect(&clients)).await,
        Function::Receive => Box::pin(serve_receive(&clients)).await,
        Function::Deliver => Box::pin(serve_deliver(&clients)).await,
        Function::Announce => Box::pin(serve_announce(&clients)).await,
        Function::PlanBroadcast => Box::pin(serve_plan_broadcast(&clients)).await,
        Function::DeliverPage => Box::pin(serve_deliver_page(&clients)).await,
    }
}

async fn serve_authorize(clients: &Clients) -> Result<(), Error> {
    let config: AuthorizeConfig = read_config()?;
    let keys = StackKeys::new(clients, &config)?;
    let handler = authorize::Handler::new(&config, keys, System);
    serve(|event| handler.handle(event)).await
}

async fn serve_connect(clients: &Clients) -> Result<(), Error> {
    let config: ConnectConfig = read_config()?;
    let handler = connect::Handler::new(&config, clients.table(&config.table), System);
    serve(|event| handler.handle(event)).await
}

async fn serve_disconnect(clients: &Clients) -> Result<(), Error> {
    let config: DisconnectConfig = read_config()?;
    let env = Metered::new(Function::Disconnect.name(), config.stack.as_str());
    let handler =
        disconnect::Handler::new(clients.announcing_table(&config.table, &config.presence_queue_url), env.clone());
    serve_metered(&env, |event, _| handler.handle(event)).await
}

async fn serve_receive(clients: &Clients) -> Result<(), Error> {
    let config: ReceiveConfig = read_config()?;
    let env = Metered::new(Function::Receive.name(), config.stack.as_str());
    let rate = Budget::of(config.callback_rps).small_rate();
    let ports = receive::Ports {
        store: clients.announcing_table(&config.table, &config.presence_queue_url),
        queue: clients.publish_queue(&config.publish_queue_url),
        poster: clients.poster(&config.callback_url, rate, config.post_concurrency, config.post_timeout_ms)?,
        env: env.clone(),
    };
    let handler = receive::Handler::new(&config, ports);
    serve_metered(&env, |event, _| handler.handle(event)).await
}

async fn serve_deliver(clients: &Clients) -> Result<(), Error> {
    let config: DeliverConfig = read_config()?;
    let env = Metered::new(Function::Deliver.name(), config.stack.as_str());
    let rate = Budget::of(config.callback_rps).small_rate();
    let ports = deliver::Ports {
        store: clients.announcing_table(&config.table, &config.presence_queue_url),
        broadcasts: clients.state_machine(&config.state_machine_arn),
        dead_letters: clients.dead_letters(&config.dead_letter_queue_url),
        poster: clients.poster(&config.callback_url, rate, config.post_concurrency, config.post_timeout_ms)?,
        env: env.clone(),
    };
    let handler = deliver::Handler::new(&config, ports);
    serve_metered(&env, |event, deadline| handler.handle(event, deadline)).await
}

async fn serve_announce(clients: &Clients) -> Result<(), Error> {
    let config: AnnounceConfig = read_config()?;
    let env = Metered::new(Function::Announce.name(), config.stack.as_str());
    let rate = Budget::of(config.callback_rps).announce_rate();
    let ports = announce::Ports {
        store: clients.announcing_table(&config.table, &config.presence_queue_url),
        poster: clients.poster(&config.callback_url, rate, config.post_concurrency, config.post_timeout_ms)?,
        env: env.clone(),
    };
    let handler = announce::Handler::new(&config, ports);
    serve_metered(&env, |event, deadline| handler.handle(event, deadline)).await
}

async fn serve_plan_broadcast(clients: &Clients) -> Result<(), Error> {
    let config: PlanBroadcastConfig = read_config()?;
    let env = Metered::new(Function::PlanBroadcast.name(), config.stack.as_str());
    let rate = Budget::of(config.callback_rps).small_rate();
    let ports = plan_broadcast::Ports {
        store: clients.table(&config.table),
        broadcasts: clients.state_machine(&config.state_machine_arn),
        poster: clients.poster(&config.callback_url, rate, config.post_concurrency, config.post_timeout_ms)?,
        env: env.clone(),
    };
    let handler = plan_broadcast::Handler::new(&config, ports);
    serve_metered(&env, |event, _| handler.handle(event)).await
}

async fn serve_deliver_page(clients: &Clients) -> Result<(), Error> {
    let config: DeliverPageConfig = read_config()?;
    let env = Metered::new(Function::DeliverPage.name(), config.stack.as_str());
    let budget = Budget::of(config.callback_rps);
    let rate = budget.large_rate(budget.page_senders());
    let ports = deliver_page::Ports {
        store: clients.announcing_table(&config.table, &config.presence_queue_url),
        poster: clients.poster(&config.callback_url, rate, config.post_concurrency, config.post_timeout_ms)?,
        env: env.clone(),
    };
    let handler = deliver_page::Handler::new(&config, ports);
    serve_metered(&env, |event, deadline| handler.handle(event, deadline)).await
}
