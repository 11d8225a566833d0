using System.Text;
using Spectre.Console;

namespace Finery.Cli.Terminal;

/// <summary>
/// The two output streams of a command: data on stdout, messages and progress on stderr. Colour and animation are decided here,
/// per stream and from facts (redirection, TERM, NO_COLOR, FORCE_COLOR), because Spectre.Console's own detection writes escape
/// sequences into pipes.
/// </summary>
public sealed class Streams
{
    private const int WidthWhenRedirected = 200;

    /// <summary>The streams of this process.</summary>
    /// <param name="noColor">The user asked for no colour on the command line.</param>
    public Streams(bool noColor)
    {
        Data = Console.Out;
        Messages = Console.Error;
        DataIsTerminal = !Console.IsOutputRedirected;
        bool dumb = Environment.GetEnvironmentVariable("TERM") is "dumb";
        MessagesAnimated = !Console.IsErrorRedirected && !dumb;
        DataConsole = Build(Data, Console.IsOutputRedirected, ColorFor(Console.IsOutputRedirected || dumb, noColor));
        MessagesConsole = Build(Messages, Console.IsErrorRedirected, ColorFor(Console.IsErrorRedirected || dumb, noColor));
    }

    /// <summary>stdout.</summary>
    public TextWriter Data { get; }

    /// <summary>stderr.</summary>
    public TextWriter Messages { get; }

    /// <summary>Whether stdout is a terminal.</summary>
    public bool DataIsTerminal { get; }

    /// <summary>Whether stderr is a terminal that can rewrite a line.</summary>
    public bool MessagesAnimated { get; }

    /// <summary>Tables and colours on stdout.</summary>
    public IAnsiConsole DataConsole { get; }

    /// <summary>Tables and colours on stderr.</summary>
    public IAnsiConsole MessagesConsole { get; }

    /// <summary>Precedence: <c>--no-color</c>, a non-empty NO_COLOR (no-color.org), FORCE_COLOR, then what the stream
    /// is.</summary>
    private static bool ColorFor(bool plain, bool noColor)
    {
        if (noColor || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))) return false;
        if (Environment.GetEnvironmentVariable("FORCE_COLOR") is { Length: > 0 } force) return force is not ("0" or "false");
        return !plain;
    }

    private static IAnsiConsole Build(TextWriter writer, bool redirected, bool color)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = color ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = color ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Capabilities.Links = false;
        console.Profile.Capabilities.Unicode = writer.Encoding is UTF8Encoding;
        if (redirected) console.Profile.Width = WidthWhenRedirected;
        return console;
    }
}
