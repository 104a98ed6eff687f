# Made by `edgenode bake`; the specs are what to change.
# The registry and its owner's part of the name are put in front of each repository: `localhost:5000/`.
variable "REGISTRY" { default = "" }
# The tag that is pushed first; `edgenode retag` then gives the one that the versions make. Targets that share a repository
# put their names behind it.
variable "TAG" { default = "latest" }
# A repository for the cache of all targets, each by a tag of its own; none by default.
variable "CACHE" { default = "" }
# How new layers are packed, where it is not BuildKit's usual `gzip`: `zstd` is faster and smaller, and wants containerd 1.5
# or Docker Engine 23 where the image runs.
variable "COMPRESSION" { default = "" }
# Whether the software bill of materials is attached, beside how the image was made.
variable "SBOM" { default = "false" }
# Where the specs are, as seen from here.
variable "SPECS" { default = "." }

group "default" { targets = ["production"] }
group "archived" { targets = ["base_edge_node_arm64_cpu_2204", "base_edge_node_arm64_tegra", "base_edge_node_cpu", "base_edge_node_dind", "base_edge_node_gpu", "pytorch_cpu"] }
group "cpu" { targets = ["base_edge_node_amd64_cpu", "base_edge_node_arm64_cpu"] }
group "experimental" { targets = ["base_edge_node_arm64_cpu", "base_edge_node_amd64_gpu_cu126", "base_edge_node_amd64_gpu_pytorch"] }
group "gpu" { targets = ["base_edge_node_amd64_gpu", "base_edge_node_amd64_gpu_cu126", "base_edge_node_amd64_gpu_pytorch"] }
group "production" { targets = ["base_edge_node_amd64_cpu", "base_edge_node_amd64_gpu"] }

target "base_edge_node_arm64_cpu_2204" {
  context    = SPECS
  dockerfile = "archive/base_edge_node_arm64_cpu.yaml"
  platforms  = ["linux/arm64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node_arm64_cpu:${TAG}-base_edge_node_arm64_cpu_2204"]
  args       = { EDGENODE_ARCHIVED = "true" }
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_arm64_cpu_2204"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_arm64_cpu_2204,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "base_edge_node_arm64_tegra" {
  context    = SPECS
  dockerfile = "archive/base_edge_node_arm64_tegra.yaml"
  platforms  = ["linux/arm64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node_tegra:${TAG}"]
  args       = { EDGENODE_ARCHIVED = "true" }
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_arm64_tegra"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_arm64_tegra,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "base_edge_node_cpu" {
  context    = SPECS
  dockerfile = "archive/base_edge_node_cpu.yaml"
  platforms  = ["linux/amd64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node:${TAG}-base_edge_node_cpu"]
  args       = { EDGENODE_ARCHIVED = "true" }
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_cpu"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_cpu,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "base_edge_node_dind" {
  context    = SPECS
  dockerfile = "archive/base_edge_node_dind.yaml"
  platforms  = ["linux/amd64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node:${TAG}-base_edge_node_dind"]
  args       = { EDGENODE_ARCHIVED = "true" }
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_dind"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_dind,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "base_edge_node_gpu" {
  context    = SPECS
  dockerfile = "archive/base_edge_node_gpu.yaml"
  platforms  = ["linux/amd64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node:${TAG}-base_edge_node_gpu"]
  args       = { EDGENODE_ARCHIVED = "true" }
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_gpu"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_gpu,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "pytorch_cpu" {
  context    = SPECS
  dockerfile = "archive/pytorch_cpu.yaml"
  platforms  = ["linux/amd64"]
  tags       = ["${REGISTRY}ratio1/pytorch_cpu:${TAG}"]
  args       = { EDGENODE_ARCHIVED = "true" }
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:pytorch_cpu"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:pytorch_cpu,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "base_edge_node_amd64_cpu" {
  context    = SPECS
  dockerfile = "base_edge_node_amd64_cpu.yaml"
  platforms  = ["linux/amd64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node_amd64_cpu:${TAG}"]
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_amd64_cpu"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_amd64_cpu,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "base_edge_node_amd64_gpu" {
  context    = SPECS
  dockerfile = "base_edge_node_amd64_gpu.yaml"
  platforms  = ["linux/amd64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node_amd64_gpu:${TAG}"]
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_amd64_gpu"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_amd64_gpu,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "base_edge_node_arm64_cpu" {
  context    = SPECS
  dockerfile = "base_edge_node_arm64_cpu.yaml"
  platforms  = ["linux/arm64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node_arm64_cpu:${TAG}"]
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_arm64_cpu"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_arm64_cpu,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "base_edge_node_amd64_gpu_cu126" {
  context    = SPECS
  dockerfile = "experimental/base_edge_node_amd64_gpu_cu126.yaml"
  platforms  = ["linux/amd64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node_amd64_gpu_cu126:${TAG}"]
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_amd64_gpu_cu126"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_amd64_gpu_cu126,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}

target "base_edge_node_amd64_gpu_pytorch" {
  context    = SPECS
  dockerfile = "experimental/base_edge_node_amd64_gpu_pytorch.yaml"
  platforms  = ["linux/amd64"]
  tags       = ["${REGISTRY}ratio1/base_edge_node_amd64_gpu_pytorch:${TAG}"]
  cache-from = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_amd64_gpu_pytorch"] : []
  cache-to   = CACHE != "" ? ["type=registry,ref=${CACHE}:base_edge_node_amd64_gpu_pytorch,mode=max"] : []
  output     = COMPRESSION != "" ? ["type=image,compression=${COMPRESSION}"] : []
  attest     = ["type=provenance,mode=max", "type=sbom,disabled=${SBOM != "true"}"]
}
