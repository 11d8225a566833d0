using Xunit;

namespace Finery.Tests.Tensors.Ops;

/// <summary>The part of <see cref="InstructionWidthTests"/> that runs inside its children.</summary>
public class WidestVectorTests
{
    [Fact]
    public void A_child_has_the_width_it_was_started_for()
    {
        string? expected = Environment.GetEnvironmentVariable(InstructionWidthTests.Expected);
        Assert.SkipWhen(expected is null, "not a child process");
        Assert.Equal(expected, InstructionWidthTests.Widest().ToString());
    }
}
