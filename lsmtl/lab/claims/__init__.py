"""The paper's claims, in the order of the page that weighs them."""

from lsmtl.lab.claims import costs, figures, gains, learning, numbers, rivals
from lsmtl.lab.verdicts import Claim

CLAIMS = (
    Claim("gain", "G lowers the error of the same network", gains.gain),
    Claim(
        "gain-cc",
        "G raises the concordance of the same network",
        gains.gain_concordance,
    ),
    Claim("size", "The gain is of the size that is printed", gains.size),
    Claim("test", "The gain is significant", gains.significant),
    Claim(
        "test-all", "The gains over all rivals are significant", gains.significant_all
    ),
    Claim("cause", "Learned relations make the gain", gains.cause),
    Claim("shallow", "Better than shallow models", rivals.shallow),
    Claim("deep", "Better than D-GEX and SemiGAN", rivals.deep),
    Claim("multitask", "Better than other multi-task methods", rivals.multitask),
    Claim(
        "concordance", "Better in concordance than other methods", rivals.concordance
    ),
    Claim("order", "Methods rank as in Table 1", rivals.order),
    Claim(
        "widths", "Better than multi-task methods of equal width", rivals.equal_widths
    ),
    Claim("shapes", "Better than D-GEX in every shape", rivals.dgex_shapes),
    Claim("mlp", "G helps an MLP, too", rivals.mlp_shapes),
    Claim("weights", "Table 2 counts its parameters right", costs.weights),
    Claim("few", "G has far fewer weights than V", costs.few_weights),
    Claim("cheap", "G is affordable at ten thousand tasks", costs.cheap),
    Claim("dear", "Other multi-task methods are not affordable", costs.rivals_dear),
    Claim("memory", "G needs far less memory than other methods", costs.memory),
    Claim("card", "Rivals run out of memory where it is said", costs.too_large),
    Claim("relations", "G learns how tasks are related", learning.relations),
    Claim(
        "self-expression",
        "Self-expression shows relations, too",
        learning.self_expression,
    ),
    Claim("two-layers", "Two layers learn more than one", learning.two_layers),
    Claim("bottleneck", "A narrow bottleneck helps", learning.bottleneck),
    Claim("transfer", "No negative transfer", learning.transfer),
    Claim("loss", "The ℓ1 loss is the better one", learning.absolute_loss),
    Claim("norm", "Batch norm speeds training up", learning.batch_norm),
    Claim("dense", "A DenseNet has fewer parameters", learning.fewer_weights),
    Claim("base", "A DenseNet is the better base network", learning.dense_network),
    Claim("groups", "Clusters differ in relevance", figures.groups),
    Claim("notable", "The figures are clearer across platforms", figures.more_notable),
    Claim("insight", "The figures show what was learned", figures.stable),
    Claim("numbers", "The MAE and CC on GEO and GTEx", numbers.numbers),
    Claim("biology", "The figures agree with known biology", None),
)
