"""Methods: how an encoder is trained without labels. One file each; `METHODS` names them."""
