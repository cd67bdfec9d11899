# Put around a package's Makefile by openwrt.sh: what the buildroot has made of
# it, and its prepare and install steps without a toolchain.
include Makefile

show:
	@$(info rust = $(GWHA_RUST))
	@$(info build-depends = $(PKG_BUILD_DEPENDS))
	@$(info variables = $(CARGO_PKG_VARS))
	@$(info arguments = $(CARGO_PKG_ARGS))

try:
	$(call Build/Prepare)
	mkdir -p $(PKG_INSTALL_DIR)/bin
	cp $(PROGRAM) $(PKG_INSTALL_DIR)/bin/gwha
	mkdir -p $(DEST)
	$(call Package/$(TRY)/install,$(DEST))
