using Finery.Data.Filters;
using Finery.Data.Filters.Segmentation;
using Xunit;

namespace Finery.Tests.Data.Filters;

public sealed class SentencesTests
{
    [Theory]
    [InlineData("This is one. This is two! Is this three? Yes", "This is one.| This is two!| Is this three?| Yes")]
    [InlineData("Dr. Smith met Mr. B. Then he left.", "Dr. Smith met Mr. B. Then he left.")]
    [InlineData("Wait... what?! \"Really?\" (Yes.) OK", "Wait... what?! \"|Really?\" (|Yes.)| OK")]
    [InlineData("One.\nTwo.\n\nThree", "One.|\nTwo.|\n\nThree")]
    [InlineData("One.  ) two", "One.|  ) two")]
    [InlineData("One. ) two", "One. )| two")]
    [InlineData("你好。再见。", "你好。再见。")]
    [InlineData("क ख । ग घ ॥ च", "क ख ।| ग घ ॥| च")]
    [InlineData("", "")]
    [InlineData("no end", "no end")]
    [InlineData("a 𑂾 b", "a 𑂾| b")]
    public void A_sentence_begins_after_the_end_of_another(string text, string sentences)
    {
        var view = new TextView();
        view.Reset(text);
        Assert.Equal(sentences, string.Join('|', view.Sentences.Select(range => text[range])));
    }

    [Fact]
    public void Slices_lose_nothing_and_are_as_many_as_counted()
    {
        var random = new Random(12);
        for (int n = 0; n < 500; n++)
        {
            string text = FilterInputs.RandomProse(random, random.Next(8)).Trim();
            TextSpans words = new(), sentences = new();
            Words.Split(text, "en", words);
            Sentences.Split(text, words, sentences);
            Assert.Equal(text, string.Concat(sentences.ToList().Select(range => text[range])));
            Assert.Equal(sentences.Count, Sentences.Count(text, words, 0, words.Count));
        }
    }

    [Fact]
    public void Chinese_sentences_end_at_their_own_stops()
    {
        var view = new TextView();
        view.Reset("你好。再见。");
        Assert.Equal(2, view.SentencesIn("zh").Count);
    }
}
