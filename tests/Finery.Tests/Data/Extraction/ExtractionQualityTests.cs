using Finery.Data.Extraction;
using Xunit;

namespace Finery.Tests.Data.Extraction;

public sealed class ExtractionQualityTests
{
    // The figure of trafilatura 2.2 in its precision mode on these pages.
    private const double Peer = 0.964;

    [Fact]
    public void Articles_of_real_pages_are_extracted_as_well_as_by_the_peer()
    {
        var extractor = new HtmlExtractor();
        var score = ArticleScore.Of(WebArticles.Pages.Select(page => (page.Article, extractor.Extract(page.Html).Text)));
        Assert.True(score.F1 >= Peer, $"F1 {score.F1:F4}, precision {score.Precision:F4}, recall {score.Recall:F4}");
    }

    [Fact]
    public void The_score_is_that_of_the_benchmark()
    {
        var score = ArticleScore.Of([("one two three four five", "two three four five six"), ("a b", "a b"), ("x", "")]);
        Assert.Equal((0.75, 0.5), (score.Precision, score.Recall));
        Assert.Equal(0.6, score.F1, 12);
    }

    [Fact]
    public void The_order_of_pages_and_threads_do_not_matter()
    {
        var extractor = new HtmlExtractor();
        var pages = WebArticles.Pages;
        var texts = pages.Select(page => extractor.Extract(page.Html)).ToArray();
        var backwards = pages.Reverse().Select(page => extractor.Extract(page.Html)).Reverse();
        Assert.Equal(texts, backwards);
        var parallel = new ExtractionResult[pages.Length];
        Parallel.For(0, pages.Length, i => parallel[i] = extractor.Extract(pages[i].Html));
        Assert.Equal(texts, parallel);
    }
}
