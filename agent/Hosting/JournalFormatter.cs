using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;

namespace Decant.Agent.Hosting;

/// <summary>
/// Log lines for the systemd journal: no time (the journal has it), and each line with its priority in front, as sd-daemon(3) has it.
/// </summary>
internal sealed class JournalFormatter : ITextFormatter
{
    private readonly MessageTemplateTextFormatter text = new("{SourceContext}: {Message:l}{NewLine}{Exception}", formatProvider: null);

    /// <inheritdoc/>
    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var lines = new StringWriter();
        LogContext.Write(logEvent, lines);
        text.Format(logEvent, lines);
        foreach (var line in lines.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            output.Write(Priority(logEvent.Level));
            output.Write(line.TrimEnd('\r'));
            output.Write('\n');
        }
    }

    private static string Priority(LogEventLevel level) => level switch
    {
        LogEventLevel.Fatal => "<2>",
        LogEventLevel.Error => "<3>",
        LogEventLevel.Warning => "<4>",
        LogEventLevel.Information => "<6>",
        _ => "<7>",
    };
}
