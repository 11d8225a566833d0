using Xunit;

namespace Finery.Tests;

/// <summary>Tests that take minutes: they carry the trait and run where asked for.</summary>
internal static class SlowTests
{
    /// <summary>Value of the trait "Category".</summary>
    public const string Category = "Slow";

    private const string Variable = "FINERY_SLOW_TESTS";

    /// <summary>Skips the test unless slow ones are wanted.</summary>
    public static void Require() =>
        Assert.SkipUnless(Environment.GetEnvironmentVariable(Variable) == "1", $"takes minutes: set {Variable}=1");
}
