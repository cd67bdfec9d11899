# Put around a package's Makefile by openwrt.sh: what the buildroot has made of
# it, and its prepare and install steps without a toolchain.
include Makefile

show:
	@$(info rust = $(GWHA_RUST))
	@$(info build-depends = $(PKG_BUILD_DEPENDS))
	@$(info variables = $(CARGO_PKG_VARS))
	@$(info arguments = $(CARGO_PKG_ARGS))

# The buildroot puts these sections into rules by eval; LuCI's have conditionals and dollars that only that resolves.
define try-rule
try:
	$(call Build/Prepare)
	mkdir -p $(PKG_INSTALL_DIR)/bin $(DEST)
	cp $(PROGRAM) $(PKG_INSTALL_DIR)/bin/gwha
	$(call Package/$(TRY)/install,$(DEST))
endef

ifdef TRY
$(eval $(try-rule))
endif
