/**
 * Socket addresses as systems lay them out (sockaddr_in, sockaddr_in6) and as
 * the core does (Address). The two systems differ only in the number of
 * AF_INET6.
 */
import { Address } from '../layout';

const AF_INET: u32 = 2;
const SOCKADDR_IN_BYTES: i32 = 16;
const SOCKADDR_IN6_BYTES: i32 = 28;
/** ::ffff:0:0, the prefix of IPv4 addresses in IPv6, as its bytes 8 to 11 lie in memory. */
const MAPPED_PREFIX: u32 = 0xffff0000;

/**
 * Writes a sockaddr.
 * @param mapped the socket speaks IPv6: an IPv4 address goes in its IPv6 form
 * @returns its length; 0 for an address without a family: the connected peer
 */
export function writeSockaddr(out: usize, address: Address, inet6: u32, mapped: bool): i32 {
  const family = address.family;
  if (family != 4 && family != 6) return 0;
  store<u16>(out, bswap<u16>(address.port), 2);
  if (family == 4 && !mapped) {
    store<u16>(out, <u16>AF_INET);
    store<u32>(out, <u32>address.ip0, 4);
    store<u64>(out, 0, 8);
    return SOCKADDR_IN_BYTES;
  }
  store<u16>(out, <u16>inet6);
  store<u32>(out, 0, 4); // flow
  if (family == 4) {
    store<u64>(out, 0, 8);
    store<u32>(out, MAPPED_PREFIX, 16);
    store<u32>(out, <u32>address.ip0, 20);
    store<u32>(out, 0, 24);
  } else {
    store<u64>(out, address.ip0, 8);
    store<u64>(out, address.ip1, 16);
    store<u32>(out, address.scope, 24);
  }
  return SOCKADDR_IN6_BYTES;
}

/** Reads a sockaddr; one of another family leaves an address without one. */
export function readSockaddr(sockaddr: usize, address: Address, inet6: u32): void {
  const family = <u32>load<u16>(sockaddr);
  address.port = bswap<u16>(load<u16>(sockaddr, 2));
  if (family == AF_INET) {
    address.family = 4;
    address.scope = 0;
    address.ip0 = <u64>load<u32>(sockaddr, 4);
    address.ip1 = 0;
  } else if (family == inet6) {
    address.family = 6;
    address.ip0 = load<u64>(sockaddr, 8);
    address.ip1 = load<u64>(sockaddr, 16);
    address.scope = load<u32>(sockaddr, 24);
  } else address.family = 0;
}

/** For the host: the sockaddr of the Address at `address`, written at `out`; its length. */
export function sockaddrWrite(out: usize, address: usize, inet6: u32, mapped: i32): i32 {
  return writeSockaddr(out, changetype<Address>(address), inet6, mapped != 0);
}

/** For the host: the Address of a sockaddr. */
export function sockaddrRead(sockaddr: usize, address: usize, inet6: u32): void {
  readSockaddr(sockaddr, changetype<Address>(address), inet6);
}
