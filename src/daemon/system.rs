//! The kernel side: its links and addresses, what the roles ask of them, and announcements.

use std::net::IpAddr;

use crate::collect::IntoVec as _;
use crate::config::model::{Config, GroupId, InstanceId, LinkId, LinkRef};
use crate::engine::{Addresses, Epoch, Instant};
use crate::exec::announce::Announcer;
use crate::exec::kernel::Kernel;
use crate::exec::links::{Links, News};
use crate::exec::record_file::RecordFile;
use crate::netlink::{IfIndex, IfName, Link};
use crate::reconcile::{Applied, Reconciler, Row};
use crate::wire::ethernet::Mac;

use super::clock;
use super::poller::{Interest, Poller, Source};
use super::resolver::Resolver;
use super::run::Error;
use super::run_dir::RunDir;
use super::sockets::Device;

/// The kernel and what is wanted of it.
#[derive(Debug)]
pub struct System {
    kernel: Kernel,
    links: Links,
    reconciler: Reconciler,
    announcer: Announcer,
    resolver: Resolver,
}

impl System {
    /// Looks at everything that is there.
    ///
    /// # Errors
    /// Without netlink there is nothing that the daemon could do.
    pub fn open(run_dir: &RunDir, now: Instant, poller: &mut Poller) -> Result<System, Error> {
        let (file, record) = RecordFile::open(&run_dir.file("owned"), run_dir.boot());
        let kernel = Kernel::open(file, now).map_err(|error| Error::new("netlink", &error.to_string()))?;
        poller
            .add(&kernel, Source::Netlink, Interest::Read)
            .map_err(|errno| Error::refused("epoll", errno))?;
        Ok(System {
            kernel,
            links: Links::default(),
            // Two routers that retry at the same moments would only get into each other's way.
            reconciler: Reconciler::new(record, clock::now().as_micros()),
            announcer: Announcer::open().map_err(|errno| Error::refused("packet socket", errno))?,
            resolver: Resolver::default(),
        })
    }

    /// How interfaces are found. What is changed there is to be followed by [`System::find_devices`] or
    /// [`System::configure`].
    pub fn resolver(&mut self) -> &mut Resolver {
        &mut self.resolver
    }

    /// Whether netifd should be there.
    pub fn is_openwrt(&self) -> bool {
        self.resolver.is_openwrt()
    }

    /// Takes a configuration, and what the role of each group asks for.
    pub fn configure(&mut self, config: &Config, role: &dyn Fn(GroupId) -> (Addresses, Epoch)) {
        self.reconciler.configure(config, role);
        self.links.set_names(self.names(config));
    }

    /// Finds the devices of all links again. Whether there was a change.
    pub fn find_devices(&mut self, config: &Config) -> bool {
        let names = self.names(config);
        let is_change = names != self.links.names();
        if is_change {
            self.links.set_names(names);
        }
        is_change
    }

    fn names(&self, config: &Config) -> Vec<Option<IfName>> {
        config.links.iter().map(|link| self.resolver.device(link)).into_vec()
    }

    /// The device of each link, as far as it is known. It need not be there.
    pub fn devices(&self) -> &[Option<IfName>] {
        self.links.names()
    }

    /// The device of a link, if it is there.
    pub fn device(&self, link: LinkId) -> Option<Device> {
        let device = self.links.device(self.kernel.mirror(), link)?;
        Some(Device { index: device.index.get(), name: device.name })
    }

    /// The device that a link of any name is; it need not be there.
    pub fn resolve(&self, link: &LinkRef) -> Option<IfName> {
        self.resolver.device(link)
    }

    /// The device of this name, as it is.
    pub fn link_named(&self, name: IfName) -> Option<&Link> {
        self.kernel.mirror().link_named(name)
    }

    /// The device on whose network an address is.
    pub fn device_towards(&self, address: IpAddr) -> Option<IfIndex> {
        let all = self.kernel.mirror().addresses();
        let near = all.filter(|own| !own.prefix.is_host() && own.prefix.contains(address));
        near.max_by_key(|own| own.prefix.length()).map(|own| own.index)
    }

    /// The addresses of a device that others may want to hear of.
    pub fn addresses_on(&self, device: IfIndex) -> Vec<IpAddr> {
        self.kernel.mirror().addresses_on(device).iter().map(|address| address.prefix.address()).into_vec()
    }

    /// Sends one round of announcements for a device's addresses.
    pub fn announce_addresses(&mut self, name: IfName, addresses: &[IpAddr]) {
        let Some(link) = self.kernel.mirror().link_named(name) else { return };
        let device = crate::exec::links::Device { index: link.index, name, mac: link.mac.map(Mac) };
        for unsent in self.announcer.announce(&device, addresses) {
            log::debug!("{name}: {unsent}");
        }
    }

    /// The hardware address of a link's device.
    pub fn mac(&self, link: LinkId) -> Option<Mac> {
        self.links.device(self.kernel.mirror(), link)?.mac
    }

    /// Every address of this machine.
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        self.kernel.mirror().addresses().map(|address| address.prefix.address()).into_vec()
    }

    /// Takes in what the kernel has to tell.
    pub fn read(&mut self, now: Instant) {
        self.kernel.read(now);
    }

    /// The links whose state has changed since they were asked for last.
    pub fn news(&mut self) -> Vec<News> {
        self.links.news(self.kernel.mirror())
    }

    /// A group has another role.
    pub fn set_role(&mut self, group: GroupId, addresses: Addresses, epoch: Epoch) {
        self.reconciler.set_role(group, addresses, epoch);
    }

    /// Brings the kernel to what the roles ask for, and returns how that went where it is news.
    pub fn settle(&mut self, now: Instant) -> Vec<Applied> {
        self.reconciler.settle(now, self.links.names(), &mut self.kernel);
        self.reconciler.applied()
    }

    /// Sends one round of announcements for an instance. A round that fails is followed by others.
    pub fn announce(&mut self, config: &Config, id: InstanceId) {
        let Some(instance) = config.instances.get(id.index()) else { return };
        let Some(device) = self.links.device(self.kernel.mirror(), instance.link) else { return };
        let addresses = instance.vips.iter().map(|vip| vip.address).into_vec();
        for unsent in self.announcer.announce(&device, &addresses) {
            log::debug!("instance {}: {unsent}", instance.name);
        }
    }

    /// When [`System::read`] and [`System::settle`] have something to do without any news.
    pub fn next_deadline(&self) -> Option<Instant> {
        Instant::earliest(&[self.reconciler.next_deadline(), Some(self.kernel.next_deadline())])
    }

    /// How the addresses are, for the status.
    pub fn rows(&self, now: Instant) -> Vec<Row> {
        self.reconciler.rows(now).into_vec()
    }
}
