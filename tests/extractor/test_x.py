import time, sys
sys.path.insert(0,"/tmp")
from gen import show
def test_m(tiny_encoder,tiny_ontology,tiny_sentences,tmp_path):
    from extractor.train import train
    from schemas.config import TrainConfig
    from transformers import BertModel, BertConfig, AutoTokenizer
    import torch
    encs={}
    for std in (0.02,0.1,0.3):
        c=BertConfig.from_pretrained(tiny_encoder); c.initializer_range=std
        torch.manual_seed(0); m=BertModel(c); f=tmp_path/f"e{std}"; m.save_pretrained(f); AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(f); encs[std]=f
    base = {"train": str(tiny_sentences),"dev": str(tiny_sentences),"ontology": str(tiny_ontology),
        "dropout": 0.0,"max_span_width": 4,"max_length": 64,"threads": 1,"device": "cpu"}
    n=0
    for std,b,lr,hlr,ep,neg,more in [(0.1,8,3e-3,1e-2,80,30,{}),(0.3,8,3e-3,1e-2,80,30,{}),(0.1,4,3e-3,1e-2,60,30,{}),(0.1,4,3e-3,1e-2,60,100,{}),(0.3,4,1e-3,1e-2,60,100,{}),(0.1,4,3e-3,1e-2,60,100,dict(ema_decay=0.9))]:
        n+=1; t=time.time()
        r=train(TrainConfig.load(None, {**base,"encoder":str(encs[std]),"out":str(tmp_path/str(n)),"epochs":ep,"batch_size":b,"learning_rate":lr,"head_learning_rate":hlr,"negative_spans":neg,"dev_every":10,**more}))
        print(std,b,lr,hlr,ep,neg,more,round(time.time()-t,1),[(x.epoch,round(x.loss,2),round(x.dev["entities"]["strict"]["f1"],2),round(x.dev["relations"]["strict"]["f1"],2)) for x in r if x.dev],flush=True)
        show(tmp_path/str(n))
