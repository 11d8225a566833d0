using System.Net;
using System.Net.Sockets;

namespace Finery.Data.Readers.Remote;

/// <summary>Which addresses are on the public internet (IANA special-purpose address registries). What is not, a file of
/// addresses written by others must not reach: loopback, private networks, link-local ones with the metadata services of clouds,
/// carrier networks, multicast, and what wraps such an address in another.</summary>
internal static class PublicAddresses
{
    private static readonly IPNetwork[] s_special =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "224.0.0.0/4", "240.0.0.0/4",
            "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        }.Select(IPNetwork.Parse),
    ];

    private static readonly IPNetwork s_globalUnicast = IPNetwork.Parse("2000::/3");

    /// <summary>Whether an address may be connected to.</summary>
    public static bool Contains(IPAddress address) =>
        (address.AddressFamily == AddressFamily.InterNetwork
            || (s_globalUnicast.Contains(address) && !address.IsIPv4MappedToIPv6))
        && !s_special.Any(network => network.Contains(address));
}
