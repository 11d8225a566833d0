using Finery.Data;
using Finery.Data.Filters;
using Finery.Data.Filters.Formatters;
using Xunit;

namespace Finery.Tests.Data.Filters.Formatters;

public sealed class SymbolLinesFormatterTests
{
    private static string Format(SymbolLinesFormatter formatter, string text)
    {
        var document = new WorkingDocument(new Document("id", text));
        formatter.Apply(document);
        return document.Text;
    }

    [Fact]
    public void Lines_of_symbols_go_and_everything_else_stays()
    {
        const string text = "-\n-\n-\n>> text, with symbols.\n\n\n>> more\n|\n| |\n|\nhello ehehe -\n|\n- oi mate\n|\n\nbye";
        Assert.Equal(">> text, with symbols.\n\n\n>> more\nhello ehehe -\n- oi mate\n\nbye", Format(new(), text));
    }

    [Fact]
    public void A_run_leaves_one_replacement()
    {
        var formatter = new SymbolLinesFormatter { Symbols = ["|"], Replacement = "\n" };
        Assert.Equal("a\n\n\nb\n-\nc", Format(formatter, "a\n|\n | | \n|\nb\n-\nc"));
        Assert.Equal("a\n\n\n \n\n\nb", Format(formatter, "a\n|\n \n|\nb"));
    }

    [Fact]
    public void Text_without_symbol_lines_stays_to_the_byte()
    {
        const string text = "one\r\ntwo\u2028 three\n\n";
        Assert.Same(text, Format(new(), text));
        Assert.Equal("", Format(new(), "---"));
        Assert.Equal("a", Format(new() { Symbols = ["😀"] }, "😀 😀\na"));
        Assert.Throws<ArgumentException>(() => new SymbolLinesFormatter { Symbols = ["||"] });
    }
}
