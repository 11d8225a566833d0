using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

public class SubjectTests
{
    [Fact]
    public void A_documented_member_is_asked_by_its_short_name_and_answered_by_its_summary()
    {
        var document = new Document("M:A.B", "B.Add method (A)\n\nAdds one thing to another thing.\n\nReturns: the sum.")
        {
            Metadata = new JsonObject
            {
                ["name"] = "A.B.Add", ["short_name"] = "B.Add", ["type"] = "B", ["kind"] = "method", ["summary"] = "Adds one thing to another thing.",
            },
        };
        var subject = Subject.From(document, seed: 1)!;
        Assert.Contains("B.Add", subject.Question);
        Assert.Equal("Adds one thing to another thing.", subject.Answer);
        Assert.Equal("B.Add method (A)\n\n", subject.Context);
        Assert.Equal("B", subject.Family);
        Assert.Equal(subject, Subject.From(document, seed: 1));
    }

    [Fact]
    public void Other_text_is_asked_by_its_opening_and_answered_by_what_follows()
    {
        var subject = Subject.From(new("1", "The first sentence opens the whole story. Then comes the second one, which answers it."), seed: 1)!;
        Assert.EndsWith("The first sentence opens the whole story.", subject.Question);
        Assert.Equal("Then comes the second one, which answers it.", subject.Answer);
    }

    [Theory]
    [InlineData("")]
    [InlineData("One short line.")]
    [InlineData("no sentence ends in this text although it goes on and on")]
    public void Text_without_an_answer_is_no_subject(string text) => Assert.Null(Subject.From(new("1", text), seed: 1));

    [Fact]
    public void A_long_answer_is_cut_and_never_inside_a_character()
    {
        string emoji = string.Concat(Enumerable.Repeat("😀", 400));
        var subject = Subject.From(new("1", "This sentence is the opening of it all. " + emoji), seed: 1)!;
        Assert.True(subject.Answer.Length is > 300 and <= 400);
        Assert.False(char.IsHighSurrogate(subject.Answer[^1]));
    }
}
