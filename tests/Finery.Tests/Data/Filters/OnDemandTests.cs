using Finery.Data.Filters;
using Xunit;

namespace Finery.Tests.Data.Filters;

public sealed class OnDemandTests
{
    private sealed record Settings(int Value)
    {
        private OnDemand<string> _loaded;

        public string Loaded(Action loading) => _loaded.Get(this, settings =>
        {
            loading();
            return $"value {settings.Value}";
        });
    }

    [Fact]
    public void A_record_loads_once_and_its_copy_again()
    {
        var loads = 0;
        var settings = new Settings(1);
        Parallel.For(0, 20, _ => Assert.Equal("value 1", settings.Loaded(() => Interlocked.Increment(ref loads))));
        Assert.Equal(1, loads);
        var copy = settings with { Value = 2 };
        Assert.Equal("value 2", copy.Loaded(() => loads++));
        Assert.Equal("value 1", settings.Loaded(() => loads++));
        Assert.Equal(2, loads);
        Assert.Equal(settings, new Settings(1));
        Assert.Equal(settings.GetHashCode(), new Settings(1).GetHashCode());
    }

    [Fact]
    public void What_fails_to_load_is_tried_again()
    {
        var settings = new Settings(1);
        Assert.Throws<IOException>(() => settings.Loaded(() => throw new IOException()));
        Assert.Equal("value 1", settings.Loaded(() => { }));
    }
}
