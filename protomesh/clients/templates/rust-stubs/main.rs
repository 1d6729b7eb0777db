// Writes the modules of a descriptor set: protomesh-rust-stubs DESCRIPTORS FOLDER
use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let descriptors = arguments.next().ok_or("no descriptors")?;
    let folder = arguments.next().ok_or("no folder")?;
    let files = prost_types::FileDescriptorSet::decode(std::fs::read(descriptors)?.as_slice())?;
    let mut messages = prost_build::Config::new();
    messages.enable_type_names(); // a declared error is found by its name
    tonic_prost_build::configure()
        .build_server(false)
        .out_dir(folder)
        .include_file("mod.rs")
        .compile_fds_with_config(files, messages)?;
    Ok(())
}
