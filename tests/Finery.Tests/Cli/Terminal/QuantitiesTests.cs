using Finery.Cli.Terminal;
using Xunit;

namespace Finery.Tests.Cli.Terminal;

public class QuantitiesTests
{
    [Fact]
    public void Figures_read_well()
    {
        Assert.Equal("3.25", Quantities.Count(3.25));
        Assert.Equal("12.3 k", Quantities.Count(12_345));
        Assert.Equal("6.8 M", Quantities.Count(6_800_000));
        Assert.Equal("512 B", Quantities.Bytes(512));
        Assert.Equal("1.5 GiB", Quantities.Bytes(1.5 * (1 << 30)));
        Assert.Equal("4.2 s", Quantities.Duration(4.2));
        Assert.Equal("3m 05s", Quantities.Duration(185));
        Assert.Equal("2h 10m", Quantities.Duration(7800));
    }
}
