using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Filters;
using Finery.Data.Tokenizers;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Filters;

public sealed class TokenCountFilterTests
{
    private static int? Count(TokenCountFilter filter, Document document)
    {
        var work = new WorkingDocument(document);
        filter.Apply(work);
        return work.Document.Metadata["token_count"]?.GetValue<int>();
    }

    [Fact]
    public void Tokens_are_counted_by_any_number_of_threads()
    {
        using var folder = new TemporaryFolder();
        var tokenizer = new BpeTrainer { VocabSize = 320 }.Train(
            Enumerable.Range(0, 50).Select(i => $"the rain in spain stays mainly in the plain {i}"));
        TokenizerFile.Save(tokenizer, folder.Path);
        var filter = new TokenCountFilter { Tokenizer = folder.Path };
        var texts = Enumerable.Range(0, 200).Select(i => string.Concat(Enumerable.Repeat("the plain rain é😀 ", i))).ToList();
        Parallel.ForEach(texts, text => Assert.Equal(tokenizer.Encode(text).Length, Count(filter, new("id", text))));
        var counted = new Document("id", "the rain") { Metadata = new JsonObject { ["token_count"] = 7 } };
        Assert.Equal(tokenizer.Encode("the rain").Length, Count(filter, counted));
        Assert.Equal(7, Count(filter with { Recount = false }, counted));
        Assert.Equal("too_few_tokens", (filter with { MinTokens = 100 }).Reject(counted));
        Assert.Equal("too_many_tokens", (filter with { MaxTokens = 1 }).Reject(counted));
    }

    [Fact]
    public void A_tokenizer_is_needed()
    {
        Assert.Single(new TokenCountFilter().Validate());
        Assert.Throws<InvalidOperationException>(() => new TokenCountFilter().Reject(new("id", "text")));
    }
}
