//! Prints the OpenAPI document; `scripts/codegen` writes it to `ui/openapi.json`.
fn main() {
    println!("{:#}", oriel_api::openapi(env!("CARGO_PKG_VERSION")));
}
