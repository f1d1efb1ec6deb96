//! Making and joining GStreamer elements.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as app;

use crate::failure::Failure;

/// Makes an element; says which is missing.
pub fn make(name: &str) -> Result<gst::Element, Failure> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|_| Failure::plugin_missing(name))
}

/// The first of these that is installed.
pub fn first_of<'a>(names: &[&'a str]) -> Option<&'a str> {
    names
        .iter()
        .copied()
        .find(|name| gst::ElementFactory::find(name).is_some())
}

/// Sets a property from its text if the element has it: versions and platforms differ.
pub fn set(element: &gst::Element, property: &str, value: &str) {
    if element.find_property(property).is_some() {
        element.set_property_from_str(property, value);
    }
}

/// Adds elements to a bin, links them in this order and brings them to its state.
pub fn chain(bin: &gst::Bin, elements: &[gst::Element]) -> Result<(), Failure> {
    let failed = |e: gst::glib::BoolError| Failure::internal(format!("cannot link: {e}"));
    bin.add_many(elements).map_err(failed)?;
    gst::Element::link_many(elements).map_err(failed)?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent().map_err(failed)?;
    }
    Ok(())
}

/// A filter that lets only these caps through.
pub fn filter(caps: &str) -> Result<gst::Element, Failure> {
    let element = make("capsfilter")?;
    element.set_property_from_str("caps", caps);
    Ok(element)
}

/// A sink that hands samples over at once and never holds the pipeline.
pub fn sink(
    sync: bool,
    mut take: impl FnMut(gst::Sample) -> Result<gst::FlowSuccess, gst::FlowError> + Send + 'static,
) -> app::AppSink {
    app::AppSink::builder()
        .sync(sync)
        .async_(false)
        .max_buffers(8)
        .callbacks(
            app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    take(sample)
                })
                .build(),
        )
        .build()
}
