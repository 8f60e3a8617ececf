# Build of llama.cpp only what its Python bindings load: libllama and the libggml.
#
# tools/install_llama.py has CMake read this behind `project(llama_cpp)`. The package
# forces llama.cpp's common library on, which its own command line programs share: chat
# parsers, an HTTP client and server, downloads. It is more than half of the compiling,
# and nothing in the package loads it. What is forced is a cache variable; a plain
# variable of the same name, set before, stands above it (policy CMP0126, and CMP0077
# for the `option` in llama.cpp).
set(LLAMA_BUILD_COMMON OFF)
