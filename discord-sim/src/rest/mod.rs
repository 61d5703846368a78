//! REST v10 below `/api/v10` (and `/api`, `/api/v9`), one file per resource.

mod call;
mod channels;
mod commands;
mod components;
mod draft;
mod faults;
mod files;
mod guilds;
mod layer;
mod limited;
mod members;
mod messages;
mod overwrites;
mod pins;
mod reactions;
mod roles;
mod threads;
mod underway;
mod users;
mod webhooks;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{delete, get, patch, post, put},
};

pub use faults::{RestFault, RestFaults, RestMatch};

pub(crate) use call::{Body, Caller, Path, Query, flag};
pub(crate) use components::components;
pub(crate) use draft::Draft;

use crate::{control, gateway, interactions, page, sim::Sim};

pub(crate) fn router(sim: Sim) -> Router {
    let api = api().layer(middleware::from_fn_with_state(sim.clone(), layer::judge));
    Router::new()
        .nest("/api/v10", api.clone())
        .nest("/api/v9", api.clone())
        .nest("/api", api)
        .route("/gateway", get(gateway::upgrade))
        .route("/gateway/", get(gateway::upgrade))
        .route("/attachments/{id}/{name}", get(files::one))
        .merge(page::router())
        .merge(control::router())
        .layer(DefaultBodyLimit::max(call::MAX_BODY))
        .with_state(sim)
}

fn api() -> Router<Sim> {
    Router::new()
        .route("/gateway", get(users::gateway))
        .route("/gateway/bot", get(users::gateway_bot))
        .route("/users/@me", get(users::me))
        .route("/users/@me/guilds", get(users::my_guilds))
        .route("/users/@me/guilds/{guild}", delete(users::leave))
        .route("/users/@me/channels", get(users::direct_channels).post(users::open_direct))
        .route("/users/{user}", get(users::one))
        .route("/applications/@me", get(users::application).patch(users::edit_application))
        .route("/oauth2/applications/@me", get(users::application))
        .route("/guilds/{guild}", get(guilds::one))
        .route("/guilds/{guild}/channels", get(channels::list).post(channels::create).patch(channels::reorder))
        .route("/guilds/{guild}/threads/active", get(threads::active))
        .route("/guilds/{guild}/roles", get(roles::list).post(roles::create).patch(roles::reorder))
        .route("/guilds/{guild}/roles/{role}", get(roles::one).patch(roles::edit).delete(roles::remove))
        .route("/guilds/{guild}/members", get(members::list))
        .route("/guilds/{guild}/members/search", get(members::search))
        .route("/guilds/{guild}/members/@me", patch(members::edit_own))
        .route("/guilds/{guild}/members/{user}", get(members::one).patch(members::edit).delete(members::kick))
        .route("/guilds/{guild}/members/{user}/roles/{role}", put(members::add_role).delete(members::remove_role))
        .route("/guilds/{guild}/webhooks", get(webhooks::of_guild))
        .route("/guilds/{guild}/application-command-index", get(commands::index))
        .route("/channels/{channel}", get(channels::one).patch(channels::edit).delete(channels::remove))
        .route("/channels/{channel}/permissions/{overwrite}", put(overwrites::put).delete(overwrites::remove))
        .route("/channels/{channel}/messages", get(messages::list).post(messages::create))
        .route("/channels/{channel}/messages/bulk-delete", post(messages::bulk_remove))
        .route("/channels/{channel}/messages/pins", get(pins::list))
        .route("/channels/{channel}/messages/pins/{message}", put(pins::pin).delete(pins::unpin))
        .route("/channels/{channel}/pins", get(pins::list_plain))
        .route("/channels/{channel}/pins/{message}", put(pins::pin).delete(pins::unpin))
        .route(
            "/channels/{channel}/messages/{message}",
            get(messages::one).patch(messages::edit).delete(messages::remove),
        )
        .route("/channels/{channel}/messages/{message}/reactions", delete(reactions::clear))
        .route(
            "/channels/{channel}/messages/{message}/reactions/{emoji}",
            get(reactions::users).delete(reactions::clear_one),
        )
        .route(
            "/channels/{channel}/messages/{message}/reactions/{emoji}/@me",
            put(reactions::add).delete(reactions::remove_own),
        )
        .route("/channels/{channel}/messages/{message}/reactions/{emoji}/{user}", delete(reactions::remove))
        .route("/channels/{channel}/messages/{message}/threads", post(threads::create_from_message))
        .route("/channels/{channel}/typing", post(messages::typing))
        .route("/channels/{channel}/threads", post(threads::create))
        .route("/channels/{channel}/threads/archived/public", get(threads::archived_public))
        .route("/channels/{channel}/threads/archived/private", get(threads::archived_private))
        .route("/channels/{channel}/thread-members", get(threads::members))
        .route("/channels/{channel}/thread-members/@me", put(threads::join).delete(threads::leave))
        .route(
            "/channels/{channel}/thread-members/{user}",
            get(threads::member).put(threads::add_member).delete(threads::remove_member),
        )
        .route("/channels/{channel}/webhooks", get(webhooks::of_channel).post(webhooks::create))
        .route(
            "/applications/{application}/commands",
            get(commands::list_global).put(commands::overwrite_global).post(commands::create_global),
        )
        .route(
            "/applications/{application}/commands/{command}",
            get(commands::one_global).patch(commands::edit_global).delete(commands::remove_global),
        )
        .route(
            "/applications/{application}/guilds/{guild}/commands",
            get(commands::list_guild).put(commands::overwrite_guild).post(commands::create_guild),
        )
        .route(
            "/applications/{application}/guilds/{guild}/commands/{command}",
            get(commands::one_guild).patch(commands::edit_guild).delete(commands::remove_guild),
        )
        .route("/webhooks/{id}", get(webhooks::one).patch(webhooks::edit).delete(webhooks::remove))
        .merge(interactions::routes())
        .fallback(layer::unknown_route)
        .method_not_allowed_fallback(layer::unknown_method)
}
