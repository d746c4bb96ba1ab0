//! `/docs`: a page to try the service with, which needs nothing from the network. Its scripts are Swagger UI's, out of the archive that
//! is part of the program.

use std::io::{Cursor, Read as _};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED as ARCHIVE;
use zip::ZipArchive;

use crate::http::{
    call::Call,
    openapi::{document::openapi_document, operation::Operation},
    problem::{Outcome, Problem, ProblemKind},
    route::{Route, RouteAccess, routes},
};

/// The routes of the documentation. Only the document itself is a part of the API.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    GET get "/openapi.json" RouteAccess::Everybody, openapi_document, Some(openapi_document_operation);
    GET get "/" RouteAccess::Everybody, redirect_root, None;
    GET get "/docs" RouteAccess::Everybody, redirect_page, None;
    GET get "/docs/{file}" RouteAccess::Everybody, serve_file, None;
};

/// What the page may load: its own files, and styles that it makes itself.
const POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Landfall: the HTTP API</title>
    <link rel="stylesheet" href="./swagger-ui.css">
    <link rel="icon" type="image/png" href="./favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="./swagger-ui-bundle.js"></script>
    <script src="./swagger-initializer.js"></script>
  </body>
</html>
"#;

const START: &str = r##"window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    filter: true,
    tryItOutEnabled: true,
    validatorUrl: "none",
    presets: [SwaggerUIBundle.presets.apis],
  });
};
"##;

/// Files of the archive that the page loads, with their media types.
const FILES: [(&str, &str); 3] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("favicon-32x32.png", "image/png"),
];

/// Leads who only knows the service's address to the documentation.
pub(in crate::http) async fn redirect_root(_call: Call) -> Outcome {
    Ok(redirect_to("/docs"))
}

/// Leads to the page.
pub(in crate::http) async fn redirect_page(_call: Call) -> Outcome {
    Ok(redirect_to("/docs/index.html"))
}

fn redirect_to(path: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(path));
    response
}

/// A file of the page.
pub(in crate::http) async fn serve_file(call: Call) -> Outcome {
    let (body, media) = match call.path_part("file") {
        "index.html" => (Body::from(PAGE), "text/html; charset=utf-8"),
        "swagger-initializer.js" => (Body::from(START), "text/javascript; charset=utf-8"),
        name => {
            let (name, media) =
                FILES.into_iter().find(|(known, _)| *known == name).ok_or_else(|| Problem::not_found("file"))?;
            let bytes = read_archived(name);
            (
                bytes.map(Body::from).ok_or_else(|| Problem::new(ProblemKind::INTERNAL, "the page cannot be made"))?,
                media,
            )
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

/// A file of Swagger UI; it stands in a folder that is called after the version.
fn read_archived(name: &str) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(ARCHIVE)).ok()?;
    let ending = format!("/dist/{name}");
    let is_wanted = |path: &str| path.ends_with(&ending) && path.matches('/').count() == 2;
    let path = archive.file_names().filter_map(Result::ok).find(|path| is_wanted(path))?.into_owned();
    let mut bytes = Vec::new();
    archive.by_name(&path).ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn openapi_document_operation() -> Operation {
    Operation::new("service", "This document", json!({"type": "object"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_of_the_page_are_in_the_archive() {
        for (name, _) in FILES {
            assert!(read_archived(name).is_some_and(|bytes| bytes.len() > 500), "{name}");
            assert!(PAGE.contains(name));
        }
    }
}
