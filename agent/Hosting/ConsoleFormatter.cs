using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;

namespace Decant.Agent.Hosting;

/// <summary>Log lines for people: time, level, what they belong to, what happened.</summary>
internal sealed class ConsoleFormatter : ITextFormatter
{
    private readonly MessageTemplateTextFormatter head = new("{Timestamp:yyyy-MM-ddTHH:mm:ss.fffzzz} {Level:u3} ", formatProvider: null);
    private readonly MessageTemplateTextFormatter text = new("{Message:l}{NewLine}{Exception}", formatProvider: null);

    /// <inheritdoc/>
    public void Format(LogEvent logEvent, TextWriter output)
    {
        head.Format(logEvent, output);
        LogContext.Write(logEvent, output);
        text.Format(logEvent, output);
    }
}
