using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Extraction;
using Finery.Data.Filters;
using Xunit;

namespace Finery.Tests.Data.Extraction;

public sealed class ExtractFilterTests
{
    private static readonly string Page = HtmlExtractorTests.Page(HtmlExtractorTests.Paragraphs);

    private static WorkingDocument Apply(ExtractFilter filter, string text, string? mediaType)
    {
        var metadata = new JsonObject();
        if (mediaType is not null)
            metadata["media_type"] = mediaType;
        var work = new WorkingDocument(new Document("id", text) { Metadata = metadata });
        filter.Apply(work);
        return work;
    }

    [Fact]
    public void Pages_become_text_with_title_and_language()
    {
        foreach (var mediaType in new[] { null, "text/html", "text/html; charset=utf-8", "APPLICATION/XHTML+XML" })
        {
            var work = Apply(new ExtractFilter(), Page, mediaType);
            Assert.Null(work.Reason);
            Assert.StartsWith("The river rises in the hills", work.Text);
            Assert.Equal("The river - Some site", work.GetMetadata("title"));
            Assert.Equal("en-GB", work.GetMetadata("language_declared"));
            Assert.Null(work.GetMetadata("extraction_stage"));
        }
        Assert.Equal("own_1", Apply(new ExtractFilter { Explain = true }, Page, null).GetMetadata("extraction_stage"));
    }

    [Fact]
    public void Other_documents_pass_untouched()
    {
        var work = Apply(new ExtractFilter(), "a <b> c", "text/plain");
        Assert.Null(work.Reason);
        Assert.Equal("a <b> c", work.Text);
    }

    [Fact]
    public void Pages_beyond_a_limit_are_dropped_with_a_reason()
    {
        Assert.Equal("extract_empty", Apply(new ExtractFilter(), "<nav>Menu</nav>", null).Reason);
        Assert.Equal("extract_too_large", Apply(new ExtractFilter { MaxBytes = 100 }, Page, null).Reason);
        Assert.Equal("extract_too_complex", Apply(new ExtractFilter { MaxNodes = 5 }, Page, null).Reason);
        var slow = string.Concat(Enumerable.Repeat("<p>text</p>", 500_000));
        Assert.Equal("extract_timeout", Apply(new ExtractFilter { MaxMilliseconds = 1, MaxNodes = 0 }, slow, null).Reason);
        Assert.Null(Apply(new ExtractFilter { MaxBytes = 0, MaxNodes = 0, MaxMilliseconds = 0 }, Page, null).Reason);
    }

    [Fact]
    public void The_catalogue_knows_it() => Assert.Equal(typeof(ExtractFilter), FilterCatalogue.Filters["extract"]);
}
