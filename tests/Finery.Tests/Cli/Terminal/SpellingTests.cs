using Finery.Cli.Terminal;
using Xunit;

namespace Finery.Tests.Cli.Terminal;

public class SpellingTests
{
    [Theory]
    [InlineData("serv", "serve")]
    [InlineData("quikstart", "quickstart")]
    [InlineData("genreate", "generate")]
    [InlineData("xyzzy", null)]
    public void Suggests_what_is_near(string word, string? expected) =>
        Assert.Equal(expected, Spelling.Nearest(word, ["run", "runs", "serve", "generate", "quickstart"]));

    [Theory]
    [InlineData("", "", 0)]
    [InlineData("abc", "", 3)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("ab", "ba", 1)]
    public void Distances_are_those_of_Damerau(string a, string b, int expected) =>
        Assert.Equal(expected, Spelling.Distance(a, b));
}
