# Every rule of tflint's own set: documented and typed variables, names, pinned providers, nothing unused.
plugin "terraform" {
  enabled = true
  preset  = "all"
}
